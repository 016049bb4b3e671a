"""Damaged ONNX files through runs of qonnx-transform: each ends soon, as a failure that says what is wrong."""

import functools
import json
from pathlib import Path

from bskernel.images.environment import cache_folder
from bskernel_protocol import FailureCategory
from support import damaged_models
from support.paths import ROOT

from chaos import invariants
from chaos.kind import Kind, Trial, Violation

BATCH = 20  # models of one trial, which share a warm session
LIMIT_S = 120  # of a step; an undamaged model takes a fraction of a second
BUILD = f"""
[build]
name = "damaged"
model = "damaged.onnx"
[[step]]
entry = "qonnx-transform:adapt"
timeout_s = {LIMIT_S}
[[step]]
entry = "qonnx-transform:cleanup"
timeout_s = {LIMIT_S}
"""
# What leaves open whether the model is to blame.
UNCLEAR: frozenset[FailureCategory] = frozenset(
    {"crash", "executor", "unknown", "timeout", "interrupted", "environment"}
)


@functools.cache
def _whole() -> tuple[bytes, ...]:
    return damaged_models.convolutions(), (ROOT / "examples" / "digits" / "digits_w4a4.onnx").read_bytes()


def attempt(trial: Trial) -> None:
    """Build damaged models one after the other, with one warm session."""
    site, rng = trial.site, trial.rng
    project, cache = trial.folder / "project", trial.folder / "cache"
    project.mkdir()
    cache.mkdir()
    users = cache_folder()  # that has the environment already, or makes it for later
    (users / "envs").mkdir(parents=True, exist_ok=True)
    (cache / "envs").symlink_to(users / "envs")
    (project / "build.toml").write_text(BUILD)
    checkout = {"BSKERNEL_ROOT": str(ROOT)}
    invariants.proper(site.run(project, cache, "up", "qonnx-transform", variables=checkout, limit_s=1800), {0})
    for trial.count in range(1, BATCH + 1):
        seed = rng.randrange(1 << 32)
        what, data = damaged_models.damaged(rng.choice(_whole()), seed)
        trial.item = f"model {trial.count} of the batch: {what}"
        (project / "damaged.onnx").write_bytes(data)
        done = site.run(project, cache, "run", "build.toml", variables=checkout, limit_s=3 * LIMIT_S)
        if invariants.proper(done, {0, 2, 3}).code == 3:
            try:
                trial.note(judge(project))
            except (OSError, ValueError, KeyError) as error:
                raise Violation(f"no readable result.json: {error!r}: {done}") from error
    trial.item = "after the batch"
    invariants.proper(site.run(project, cache, "down", variables=checkout), {0})
    invariants.nothing_runs()
    invariants.nothing_lies_around(cache)


def judge(project: Path) -> Violation | None:
    """Why the failed build of a damaged model leaves open what is wrong with it; None if it does not."""
    failure = json.loads((project / "build" / "damaged" / "result.json").read_bytes())["failure"]
    if failure["category"] not in UNCLEAR and failure["message"].strip():
        return None
    shown = f"{failure['category']}: {failure['message'][:300]} ({' | '.join(failure['cause'][-3:])[:300]})"
    return Violation(shown, "hang" if failure["category"] == "timeout" else "unclear")


KINDS = [
    Kind(
        name="models/damaged",
        promise="a damaged model ends soon, as a failure that says what is wrong with it",
        attempt=attempt,
        tries=0,
        volume=1000 // BATCH,
        limit_s=3600,
    )
]
