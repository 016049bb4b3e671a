"""result.json, metrics.json and build.lock are what their published schemas say."""

import json
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest
from bskernel.core.metrics_form import decode_metrics
from bskernel.result.result_schema import lock_schema, metrics_schema, result_schema
from bskernel_protocol import pretty_json
from support.builds import write

GOLDEN = Path(__file__).parent / "golden"
SCHEMAS = {"result": result_schema, "metrics": metrics_schema, "lock": lock_schema}
BUILD = '[build]\nname = "b"\nmodel = "number.txt"\n[[step]]\nentry = "testing:double"\n'
NUMBER = {"value": 1, "unit": "LUT", "stage": "synth", "source": "utilization.rpt"}


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_changes_with_its_golden_file_and_its_format_alone(name: str) -> None:
    assert pretty_json(SCHEMAS[name]()) == (GOLDEN / f"{name}.schema.json").read_text()


@pytest.mark.parametrize(
    ("metrics", "valid"),
    [
        ({"format": 1, "resources": {"LUT": [NUMBER]}, "layers": [{"name": "a", "cycles": [NUMBER]}]}, True),
        ({"resources": {}}, False),
        ({"format": 2}, False),
        ({"format": 1, "LUT": [{**NUMBER, "stage": "guess"}]}, False),
        ({"format": 1, "LUT": [{**NUMBER, "value": "many"}]}, False),
    ],
)  # fmt: skip
def test_a_number_has_one_form_wherever_it_stands(metrics: dict[str, Any], valid: bool) -> None:
    check = fastjsonschema.compile(metrics_schema())
    if valid:
        check(metrics)
    else:
        with pytest.raises(fastjsonschema.JsonSchemaException):
            check(metrics)


def test_the_key_format_is_no_number_of_a_step() -> None:
    with pytest.raises(ValueError, match="'format' is metrics"):
        decode_metrics(b'{"format": 1}')


def test_what_a_build_writes_is_valid_and_names_what_it_was_made_from(cli: Any, tmp_path: Path) -> None:
    done = cli("run", write(tmp_path, BUILD))
    assert done.returncode == 0, done.stderr
    build = tmp_path / "build" / "b"
    result, lock = (json.loads((build / name).read_text()) for name in ("result.json", "build.lock"))
    fastjsonschema.compile(result_schema())(result)
    fastjsonschema.compile(lock_schema())(lock)
    origin = result["origin"]
    assert origin["model"] == {"path": "number.txt", "sha256": lock["files"]["number.txt"]["sha256"]}
    assert origin["executors"] == lock["executors"]
    assert origin["executors"]["testing@1"]["digest"]
    assert origin["bskernel"]["version"]
    assert origin["host"]["python"]
    assert origin["engine"] is None
    assert {"config.json", "build.lock", "steps/00-double/log.jsonl"} <= result["files"].keys()
