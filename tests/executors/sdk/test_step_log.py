"""A step's logger: what its events look like in log.jsonl, and what they cost a step that does not log."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from bskernel_executors.sdk import Step
from bskernel_executors.sdk.step_log import import_structlog, make_logger
from bskernel_protocol import LogLine, OutputLine, StepStarted
from support.server_process import ServerProcess


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path) as process:
        yield process


def events_in(lines: list[LogLine]) -> list[dict[str, Any]]:
    return [json.loads(line.text) for line in lines if line.text.startswith("{")]


def test_an_event_is_in_the_step_s_log_with_step_entry_and_executor(server: ServerProcess) -> None:
    sent = server.run("03-first", "draw")
    lines = server.log_of("03-first")
    info, failed = events_in(lines)
    assert info == {
        "event": "drawing",
        "level": "info",
        "step": "03-first",
        "entry": "draw",
        "executor": "testing@1",
        "work": str(server.folder / "03-first" / "work"),
        "numbers": [1, 2.5],
        "imported": False,
    }
    assert list(info)[:2] == ["event", "level"]
    assert (failed["event"], failed["level"]) == ("no number\nat all", "error")
    assert failed["exception"].splitlines()[-1] == "ValueError: invalid literal for int() with base 10: 'many'"
    # One line each, between what was printed before and after, and the kernel gets the same lines.
    assert [line.text for line in lines if line.stream == "stdout"] == ["before"]
    errors = [line.text for line in lines if line.stream == "stderr"]
    assert errors[-1] == "after"
    assert len(errors) == 3
    assert [event.text for event in sent if event.stream == "stderr"] == errors


def test_a_step_s_outputs_do_not_depend_on_its_log(server: ServerProcess) -> None:
    for name in ("a", "quiet", "c"):
        server.run(name, "draw")
    assert server.output_of("a") == server.output_of("quiet") == server.output_of("c")
    assert events_in(server.log_of("quiet")) == []


def test_steps_that_do_something_else_draw_something_else(server: ServerProcess) -> None:
    for name, number in (("a", 1), ("b", 2), ("c", 1)):
        server.run(name, "draw", number=number)
    assert server.output_of("a") == server.output_of("c") != server.output_of("b")


def test_steps_of_a_server_that_was_idle_have_structlog_already(server: ServerProcess) -> None:
    modules = []
    for at in range(100):
        server.run(f"{at}", "draw")
        modules += [event["imported"] for event in events_in(server.log_of(f"{at}")) if "imported" in event]
        if modules[-1]:
            break
        # The server has no other sign of what it does while it is idle than the children that it then forks.
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(timeout=0.3)
    assert modules[0] is False
    assert modules[-1] is True


def test_a_server_imports_structlog_beside_no_step(server: ServerProcess) -> None:
    server.start("long", "meet", word="long", until=["the end"])
    imported = []
    for at in range(8):
        server.run(f"{at}", "draw")
        imported += [event["imported"] for event in events_in(server.log_of(f"{at}")) if "imported" in event]
    assert imported == [False] * 8


def test_the_kernel_hears_what_a_step_says_while_it_runs(server: ServerProcess) -> None:
    server.start("long", "meet", word="long", until=["the end"])
    assert server.next_event() == StepStarted(directory="long")
    assert server.next_event() == OutputLine(directory="long", stream="stdout", text="long is here")


def test_a_server_is_ready_before_it_imports_structlog(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, "-X", "importtime") as server:
        server.run("first", "add", number=1)
        assert server.process.stdin is not None
        assert server.process.stderr is not None
        server.process.stdin.close()
        names = [line.rpartition("|")[2].strip() for line in server.process.stderr.read().decode().splitlines()]
    assert "bskernel_executors.sdk.step_log" in names
    assert "structlog" not in names


def test_a_licence_is_not_in_an_event(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        server.run("licence", "log-licence")
        (event,) = events_in(server.log_of("licence"))
    assert event["licence"] == "<licence>"


FAILING = """
from bskernel_executors.sdk import Registry

registry = Registry(executor="failing", summary="", warm_up=lambda: int("many"))
"""


def test_a_warm_up_that_fails_is_in_the_server_s_log(tmp_path: Path) -> None:
    (tmp_path / "failing.py").write_text(FAILING)
    with ServerProcess(tmp_path, module="failing") as server:
        assert server.process.stderr is not None
        event = json.loads(server.process.stderr.readline())
    assert (event["event"], event["executor"]) == ("warm-up failed; steps run without it", "failing@1")
    assert event["exception"].splitlines()[-1] == "ValueError: invalid literal for int() with base 10: 'many'"


def test_a_warning_for_the_build_s_report_is_in_the_log_too(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    step = Step(
        name="fold",
        entry="step_fold",
        executor="finn-step@1",
        params=None,
        directory=tmp_path,
        inputs=frozenset(),
        outputs=frozenset(),
        report_progress=print,
    )
    rows = [{"label": "nodes", "value": "7", "note": ""}, {"label": "warning", "value": "nothing folded", "note": ""}]
    step.record({"summary": rows})
    assert step.facts == {"summary": rows}
    context = {"step": "fold", "entry": "step_fold", "executor": "finn-step@1"}
    assert json.loads(capfd.readouterr().err) == {"event": "nothing folded", "level": "warning", **context}


def test_without_structlog_only_a_step_that_logs_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "structlog", None)
    import_structlog()
    with pytest.raises(ModuleNotFoundError, match="structlog"):
        make_logger(step="s")


def test_structlog_s_configuration_stays_as_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    before = structlog.get_config()
    import_structlog()
    log = make_logger(step="s")
    log.warning("%d layers", 3, folded=0)
    assert not structlog.is_configured()
    assert structlog.get_config() == before
    assert json.loads(capfd.readouterr().err) == {"event": "3 layers", "level": "warning", "step": "s", "folded": 0}


def test_a_configuration_that_a_library_sets_does_not_change_a_step_s_log(capfd: pytest.CaptureFixture[str]) -> None:
    structlog.configure(processors=[], wrapper_class=structlog.make_filtering_bound_logger("critical"))
    try:
        make_logger(step="s").debug("still here")
    finally:
        structlog.reset_defaults()
    assert json.loads(capfd.readouterr().err) == {"event": "still here", "level": "debug", "step": "s"}
