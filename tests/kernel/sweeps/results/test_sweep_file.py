"""A sweep's table in files, and read again."""

import csv
import io
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import bskernel
import msgspec
import pytest
from bskernel.core.errors import ConfigError
from bskernel.sweeps.analysis.analysis_types import Goals
from bskernel.sweeps.analysis.columns import as_csv
from bskernel.sweeps.report.parquet import write_parquet
from bskernel.sweeps.results.sweep_file import StoredSweep, read_sweep
from hypothesis import given
from hypothesis import strategies as st
from support.sweep_tables import DIGITS, design, digits, found, row, table, write_sweep


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_csv_row_holds_settings_and_the_latest_numbers_with_where_they_are_from() -> None:
    point = row(
        "a", found("LUT", 5), found("LUT", 4, "synth", source="synthesis.json"), found("power", 0.25, unit="W")
    )
    bare = row("b", status="failed", reason="step_hls: out of memory,\nsays HLS", part="xczu7ev")
    first, second = read(as_csv(table(point, bare)))
    assert first == {
        "name": "a", "status": "ok", "reason": "", "set:part": "",
        "LUT": "4.0", "LUT:unit": "count", "LUT:stage": "synth", "LUT:source": "synthesis.json",
        "power": "0.25", "power:unit": "W", "power:stage": "estimate", "power:source": "report.json",
    }  # fmt: skip
    assert second["reason"] == "step_hls: out of memory,\nsays HLS"
    assert second["set:part"] == "xczu7ev"
    assert second["LUT"] == second["LUT:stage"] == ""


def test_the_csv_of_real_builds_has_a_row_for_each_and_the_same_bytes_each_time() -> None:
    rows = read(as_csv(digits()))
    assert len(rows) == 18
    assert {(line["set:target.target_fps"], line["set:target.clock_ns"]) for line in rows} >= {("10000", "4.0")}
    assert as_csv(digits()) == as_csv(digits())


_SETTINGS = st.one_of(st.text(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans())


@given(st.lists(st.one_of(st.none(), _SETTINGS, st.lists(st.integers(), max_size=3)), min_size=1, max_size=8))
def test_any_setting_survives_in_csv(settings: list[Any]) -> None:
    rows = [row(str(at), **({} if value is None else {"key": value})) for at, value in enumerate(settings)]
    rows.append(row("last", key="text"))
    cells = [line["set:key"] for line in read(as_csv(table(*rows)))]
    texts = all(isinstance(value, str) for value in settings if value is not None)
    for cell, value in zip(cells[:-1], settings, strict=True):
        assert cell == ("" if value is None else value if texts else msgspec.json.encode(value).decode())


def test_parquet_keeps_the_types(tmp_path: Path) -> None:
    from pyarrow import parquet

    points = table(
        design("a", 9.5, 3, fps=10, clock=4, part="x", deep=True, mixed=1, folds=[1, 2]),
        design("b", 1.5, 2, fps=20, clock=2.5, part="y", mixed="one"),
        row("c", status="failed", reason="no"),
    )
    write_parquet(points, tmp_path / "sweep.parquet")
    got = parquet.read_table(tmp_path / "sweep.parquet")
    types = {name: str(got.schema.field(name).type) for name in got.column_names}
    assert types["set:fps"] == "int64"
    assert types["set:clock"] == types["throughput"] == "double"
    assert types["set:deep"] == "bool"
    assert {types[name] for name in ("name", "set:part", "set:mixed", "set:folds", "throughput:unit")} == {"string"}
    columns = got.to_pydict()
    assert columns["set:fps"] == [10, 20, None]
    assert columns["set:clock"] == [4.0, 2.5, None]
    assert columns["set:deep"] == [True, None, None]
    assert columns["set:mixed"] == ["1", '"one"', None]
    assert columns["set:folds"] == ["[1,2]", None, None]
    assert columns["throughput"] == [9.5, 1.5, None]
    assert columns["reason"] == [None, None, "no"]
    assert list(columns) == as_csv(points).splitlines()[0].split(",")


def test_a_whole_number_beyond_64_bits_is_kept_as_text(tmp_path: Path) -> None:
    from pyarrow import parquet

    write_parquet(table(row("a", seed=2**70), row("b", seed=1)), tmp_path / "sweep.parquet")
    assert parquet.read_table(tmp_path / "sweep.parquet").to_pydict()["set:seed"] == [str(2**70), "1"]


def test_parquet_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not writable"):
        write_parquet(digits(), tmp_path / "absent" / "sweep.parquet")


def test_directories_of_points_are_told_from_the_sweeps_which_may_have_been_moved(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    points = table(
        msgspec.structs.replace(design("a", 1, 1, fps=10), directory=Path("points/a")),
        msgspec.structs.replace(design("b", 1, 1, fps=20), directory=Path("/elsewhere/b")),
        row("c", status="stopped", reason="LUT > 0", fps=30),
    )
    kept = StoredSweep(table=points, goals=Goals(maximize=("throughput",), require=("LUT < 0",)))
    write_sweep(kept, here)
    shutil.move(here, there)
    for path in (there, there / "sweep.json"):
        got = read_sweep(path)
        assert got.goals == kept.goals
        assert [one.directory for one in got.table.rows] == [
            there.resolve() / "points" / "a",
            Path("/elsewhere/b"),
            None,
        ]
        assert [one.quantities for one in got.table.rows] == [one.quantities for one in points.rows]


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '{"table": {"name": "x", "keys": [], "rows": [{"name": 1}]}}', "\xff"]
)
def test_what_is_no_sweep_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "sweep.json").write_text(text, encoding="latin-1")
    with pytest.raises(ConfigError, match="not a sweep result"):
        read_sweep(tmp_path)


def test_a_directory_without_a_sweep_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        read_sweep(tmp_path)


def command(*arguments: str | Path, without: str = "") -> subprocess.CompletedProcess[str]:
    hide = f"import sys; sys.modules[{without!r}] = None; " if without else ""
    script = f"{hide}from bskernel.cli import main; main()"
    call = [sys.executable, "-c", script, "results", *map(str, arguments)]
    return subprocess.run(call, capture_output=True, text=True, check=False)


def test_objectives_of_a_finished_sweep_can_be_changed(tmp_path: Path) -> None:
    done = command(
        DIGITS, "--maximize", "throughput", "--minimize", "DSP", "--require", "DSP < 10", "--csv", tmp_path / "a.csv"
    )
    assert done.returncode == 0, done.stderr
    assert "Pareto set: 6 of 15 points (maximize throughput@estimate; minimize resources.DSP@estimate)" in done.stdout
    assert "recommended: 200k-4.0ns: target.clock_ns = 4.0, target.target_fps = 200000" in done.stdout
    assert "200k-10.0ns, 400k-5.0ns  DSP < 10 does not hold: resources.DSP@estimate is 13" in done.stdout
    assert (tmp_path / "a.csv").read_text() == as_csv(digits())


def test_from_python_the_pareto_set_and_the_recommendation_are_rows_of_the_table() -> None:
    found = bskernel.results(DIGITS, maximize="throughput", minimize=["DSP"], require="DSP < 10")
    assert found.recommended is not None
    assert found.recommended.settings == {"target.target_fps": 200_000, "target.clock_ns": 4.0}
    assert len(found.pareto) == 6
    assert all(row in found.table.rows for row in found.pareto)
    assert {row.name for row in found.pareto} == {point.name for point in found.outcome.pareto}
    # Those of the sweep itself, where no others are given.
    assert bskernel.results(str(DIGITS)).goals == read_sweep(DIGITS).goals
    assert bskernel.results(DIGITS, require="DSP < 10").goals.maximize == ("throughput",)


def test_without_a_point_to_compare_none_is_recommended(tmp_path: Path) -> None:
    write_sweep(StoredSweep(table=table(row("a", status="failed")), goals=Goals(minimize=("LUT",))), tmp_path)
    found = bskernel.results(tmp_path)
    assert (found.pareto, found.recommended) == ((), None)


def test_points_with_equal_numbers_or_reasons_are_told_in_one_line(tmp_path: Path) -> None:
    equal = [design(name, 9, 5, fps=at) for at, name in enumerate("abc")]
    broken = [row(f"gone{at}", status="interrupted", fps=at) for at in range(5)]
    write_sweep(StoredSweep(table=table(*equal, *broken), goals=Goals(minimize=("LUT",))), tmp_path)
    shown = command(tmp_path).stdout
    pareto = shown.partition("Pareto set: 3 of 3 points")[2].partition("best")[0]
    assert "a " in pareto
    assert "and 2 with the same numbers" in pareto
    assert pareto.count("\n    ") == 2
    assert "gone0, gone1, gone2, and 2 more  interrupted" in shown


@pytest.mark.parametrize("made", ["points", "toml", "nothing"])
def test_what_is_no_finished_sweep_is_told_with_what_to_do(tmp_path: Path, made: str) -> None:
    config = tmp_path / "sweep.toml"
    config.write_text("[build]\n")
    if made == "points":
        (tmp_path / "points").mkdir()
    done = command(config if made == "toml" else tmp_path)
    assert done.returncode == 2
    assert ("run it again" if made == "points" else "give the output directory of a sweep") in done.stderr


def test_as_json_it_holds_table_goals_and_outcome() -> None:
    done = command(DIGITS, "--json")
    assert done.returncode == 0, done.stderr
    told = msgspec.json.decode(done.stdout)
    assert told["goals"] == {"maximize": ["throughput"], "minimize": ["LUT", "DSP"], "require": []}
    assert len(told["table"]["rows"]) == 18
    assert told["outcome"]["recommendation"]["point"] == "400k-4.0ns"


def test_a_metric_that_is_none_ends_the_command_with_the_choices() -> None:
    done = command(DIGITS, "--maximize", "thruput")
    assert done.returncode == 2
    assert "did you mean 'throughput'?" in done.stderr
    assert "quantities: clock, latency, resources.BRAM_18K" in done.stderr


def test_a_sweep_that_was_interrupted_shows_what_there_is(tmp_path: Path) -> None:
    points = table(design("a", 9, 5, fps=1), row("b", status="interrupted", fps=2))
    write_sweep(StoredSweep(table=points, goals=Goals(minimize=("LUT",))), tmp_path)
    done = command(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "digits: 2 points: 1 ok, 1 interrupted" in done.stdout
    assert "recommended: a: fps = 1" in done.stdout


def test_numbers_of_a_stand_in_are_marked_in_what_is_shown(tmp_path: Path) -> None:
    fake = row("a", found("LUT", 5, "synth", source="stand-in:synthesis.json"), fps=1)
    write_sweep(StoredSweep(table=table(fake), goals=Goals(minimize=("LUT",))), tmp_path)
    shown = command(tmp_path).stdout
    assert "all numbers are from a stand-in for a tool" in shown
    assert "NOT A RESULT: LUT@synth from a stand-in for the tool" in shown


@pytest.mark.parametrize(
    ("option", "library", "extra"),
    [("--parquet", "pyarrow", "parquet"), ("--plot", "vl_convert", "plots")],
)
def test_without_an_extra_the_command_says_which_to_install(
    tmp_path: Path, option: str, library: str, extra: str
) -> None:
    done = command(DIGITS, option, tmp_path / "out", without=library)
    assert done.returncode == 4
    assert f"pip install 'bskernel[{extra}]'" in done.stderr
