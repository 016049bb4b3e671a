"""Why a step runs: what of its key changed since its last run in the directory."""

from pathlib import Path
from typing import Any

import msgspec
from bskernel.core.action import Action, action_of
from bskernel.core.run_reason import reasons_to_run
from bskernel.core.step import ExecutorRef, FromFile, FromStep, Step
from bskernel_protocol import Artifact, digest_of_bytes

EXECUTOR = ExecutorRef(name="testing", version="1", digest="a" * 64)
STEP = Step(
    index=1,
    name="fold",
    executor=EXECUTOR,
    entry="fold",
    parameters={"fps": 1},
    inputs={
        "model": FromStep(step="tidy", output="model"),
        "config": FromFile(path=Path("folding.json"), kind="file"),
    },
    outputs=(),
)


def artifact(name: str, text: str) -> Artifact:
    return Artifact(name=name, kind="file", digest=digest_of_bytes(text.encode()), media_type="text/plain")


def action(step: Step = STEP, *, salt: str = "", model: str = "a", config: str = "a") -> Action:
    return action_of(step, {"model": artifact("model", model), "config": artifact("config", config)}, salt)


def reasons(now: Action, step: Step = STEP) -> tuple[str, ...]:
    return reasons_to_run(step, now, action())


def changed(**changes: Any) -> Step:
    return msgspec.structs.replace(STEP, **changes)


def test_a_step_that_never_ran_here_says_so() -> None:
    assert reasons_to_run(STEP, action(), None) == ("no earlier run in this build directory",)


def test_a_step_whose_key_is_the_same_has_lost_its_result() -> None:
    assert reasons(action()) == ("its result is not in the cache",)


def test_what_changed_is_named_and_of_an_input_the_step_that_made_it() -> None:
    parameter, input_model, input_config = (
        reasons(action(changed(parameters={"fps": 2}))),
        reasons(action(model="b")),
        reasons(action(config="b")),
    )
    assert parameter == ("parameter fps: 1 -> 2",)
    assert input_model[0].startswith("input model: ")
    assert input_model[0].endswith(", made by tidy")
    assert input_config[0].startswith("input config: ")
    assert "made by" not in input_config[0]
    assert reasons(action(salt="x")) == ("salt: none -> x",)


def test_an_executor_of_the_same_version_can_have_changed() -> None:
    other = changed(executor=msgspec.structs.replace(EXECUTOR, digest="b" * 64))
    assert reasons(action(other)) == ("executor: testing@1 changed (its lock, edits, environment or code)",)
