"""A recipe is looked up in one way, whoever looks: every caller's failure names what is wrong and what to do."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from bskernel.cluster.messages import Site, StepRequest
from bskernel.cluster.worker_site import WorkerSite
from bskernel.core.action import action_of
from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.core.interfaces import SessionFailed
from bskernel.core.step import ExecutorRef, Step
from bskernel.execution.action_runner import CancelToken
from bskernel.images import Recipe, find_recipes, require_recipe, select_recipe, select_recipes
from bskernel.runtime.warm.launcher import start_daemon
from bskernel.runtime.warm.messages import DaemonSpec
from bskernel.runtime.warm.registry import SessionRegistry
from bskernel.workspace.workspace import Workspace
from bskernel_protocol import Failure

ROOT = Path(__file__).parents[3]
TOML = """
executor = "{name}"
version = "{version}"
summary = "for tests"
module = "m"
sources = ["../../../code/m.py"]
default = {default}
"""
CONFIG = """
[build]
name = "sum"
model = "number.txt"
[[step]]
entry = "testing:double"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Recipes alpha@1, alpha@2 (the default), alpha@3 and beta@1."""
    folder = tmp_path / "checkout"
    (folder / "code").mkdir(parents=True)
    (folder / "code" / "m.py").write_text("")
    (folder / "docker").symlink_to(ROOT / "docker")
    for name, version in (("alpha", "1"), ("alpha", "2"), ("alpha", "3"), ("beta", "1")):
        image = folder / "images" / name / version
        image.mkdir(parents=True)
        (image / "requirements.lock").write_text("")
        default = str(version == "2").lower()
        (image / "image.toml").write_text(TOML.format(name=name, version=version, default=default))
    return folder


@pytest.fixture
def recipes(checkout: Path) -> tuple[Recipe, ...]:
    return find_recipes(checkout)


def names(found: tuple[Recipe, ...]) -> list[str]:
    return [recipe.name for recipe in found]


def other(executor: ExecutorRef) -> ExecutorRef:
    """The same executor, made of something else."""
    return msgspec.structs.replace(executor, digest="0" * 64)


def test_a_name_selects_all_versions_and_a_name_with_a_version_that_one(recipes: tuple[Recipe, ...]) -> None:
    assert names(select_recipes(recipes, ["alpha"])) == ["alpha@1", "alpha@2", "alpha@3"]
    assert names(select_recipes(recipes, ["beta", "alpha@3"])) == ["alpha@3", "beta@1"]
    assert select_recipes(recipes, []) == recipes


def test_one_recipe_of_a_name_is_its_default_version_or_its_first(recipes: tuple[Recipe, ...]) -> None:
    assert select_recipe(recipes, "alpha").name == "alpha@2"
    assert select_recipe(recipes, "alpha@3").name == "alpha@3"
    assert select_recipe([recipe for recipe in recipes if recipe.name != "alpha@2"], "alpha").name == "alpha@1"


@pytest.mark.parametrize("select", [select_recipe, lambda recipes, name: select_recipes(recipes, ["beta", name])])
@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("alhpa", "unknown executor 'alhpa'", "did you mean 'alpha'? executors: alpha, beta"),
        ("alhpa@1", "unknown executor 'alhpa'", "did you mean 'alpha'? executors: alpha, beta"),
        ("alpha@9", "alpha has no version '9'", "versions: 1, 2, 3"),
        ("", "unknown executor ''", "executors: alpha, beta"),
    ],
)
def test_an_unknown_name_is_an_error_of_usage_with_the_choices(
    recipes: tuple[Recipe, ...], select: Any, name: str, message: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        select(recipes, name)
    assert (refused.value.message, refused.value.hint) == (message, hint)


def test_the_executor_of_a_plan_is_found_by_its_digest(recipes: tuple[Recipe, ...], checkout: Path) -> None:
    alpha = recipes[1]
    assert require_recipe(recipes, alpha.ref, where="here", hint="do this") is alpha
    with pytest.raises(EnvironmentLacking) as changed:
        require_recipe(recipes, other(alpha.ref), where="here", hint="do this")
    digests = f"its digest is {alpha.digest[:12]}, not {'0' * 12}"
    assert changed.value.message == f"here: {checkout}/images/alpha/2 has changed: {digests}"
    assert changed.value.hint == "do this"
    with pytest.raises(EnvironmentLacking, match=r"^here: unknown executor gamma@1$"):
        require_recipe(recipes, ExecutorRef(name="gamma", version="1", digest=""), where="here", hint="do this")


def test_a_workspace_refuses_the_executor_of_another_checkout(checkout: Path, tmp_path: Path) -> None:
    workspace = Workspace(checkout, tmp_path / "cache")
    with pytest.raises(EnvironmentLacking, match="unknown executor gamma@1") as refused:
        workspace.recipe(ExecutorRef(name="gamma", version="1", digest=""))
    assert refused.value.message.startswith(str(checkout))
    assert refused.value.hint == "make the plan in this workspace"


@pytest.mark.parametrize("command", [("build",), ("check",), ("describe",)])
def test_images_of_an_unknown_executor_end_with_the_choices(cli: Any, command: tuple[str, ...]) -> None:
    done = cli("images", *command, "tesing")
    assert done.returncode == 2
    assert done.stderr == "error: unknown executor 'tesing'\n  -> did you mean 'testing'? executors: testing\n"
    done = cli("images", *command, "testing@9")
    assert done.returncode == 2
    assert done.stderr == "error: testing has no version '9'\n  -> versions: 1\n"


def test_images_describe_takes_a_name_without_a_version(cli: Any) -> None:
    done = cli("images", "describe", "testing")
    assert done.returncode == 0, done.stderr
    assert done.stdout == cli("images", "describe", "testing@1").stdout != ""


def test_down_refuses_an_unknown_executor(cli: Any) -> None:
    done = cli("down", "tesing")
    assert done.returncode == 2
    assert done.stderr == "error: unknown executor 'tesing'\n  -> did you mean 'testing'? executors: testing\n"


def test_a_step_of_an_executor_that_has_changed_is_not_replayed(
    cli: Any, surroundings: dict[str, str], root: Path, tmp_path: Path
) -> None:
    (tmp_path / "number.txt").write_text("5")
    (tmp_path / "build.toml").write_text(CONFIG)
    assert cli("run", "build.toml").returncode == 0
    changed = tmp_path / "checkout"
    (changed / "images" / "testing" / "1").mkdir(parents=True)
    for item in root.iterdir():
        if item.name != "images":
            (changed / item.name).symlink_to(item)
    for item in (root / "images" / "testing" / "1").iterdir():
        (changed / "images" / "testing" / "1" / item.name).write_bytes(item.read_bytes())
    with (changed / "images" / "testing" / "1" / "image.toml").open("a") as file:
        file.write('[environment]\nMORE = "1"\n')
    surroundings["BSKERNEL_ROOT"] = str(changed)
    done = cli("replay", "build/sum", "double")
    assert done.returncode == 4
    assert f"build/sum: step double: {changed}/images/testing/1 has changed: its digest is " in done.stderr
    assert "  -> run the build again, or check out the version of bskernel that made it" in done.stderr
    (changed / "images" / "testing" / "1" / "image.toml").unlink()
    done = cli("replay", "build/sum", "double")
    assert done.returncode == 4
    assert "error: build/sum: step double: unknown executor testing@1" in done.stderr


def test_a_worker_refuses_a_step_of_another_executor_and_reads_a_checkout_that_caught_up(
    checkout: Path, tmp_path: Path
) -> None:
    alpha = find_recipes(checkout)[0]
    cache = str(tmp_path / "cache")
    site = WorkerSite(
        Site(code="", root=str(checkout), runtime="process", cache=cache, shared=None, handed_over=False)
    )
    step = Step(index=0, name="one", executor=other(alpha.ref), entry="e", parameters={}, inputs={}, outputs=())

    def failure_of(step: Step) -> Failure:
        request = StepRequest(
            site=Site(code="", root="", runtime="process", cache=cache, shared=None, handed_over=False),
            step=step,
            action=action_of(step, {}, ""),
            inputs={},
            share=False,
            damaged=False,
            topic="",
        )
        failure = site.run(request, lambda _: None, CancelToken()).outcome.failure
        assert failure is not None
        assert failure.category == "environment"
        return failure

    try:
        refused = failure_of(step)
        assert "images/alpha/1 has changed: its digest is " in refused.message
        assert f": {checkout}: " in refused.message
        hint = str(refused.hint)
        assert hint.startswith(
            "check out the same commit on that machine, or use one checkout on a shared file system"
        )
        assert "in BSKERNEL_RECIPES of the worker" in hint
        gamma = ExecutorRef(name="gamma", version="1", digest="")
        assert "unknown executor gamma@1" in failure_of(msgspec.structs.replace(step, executor=gamma)).message
        # A recipe that came to the checkout meanwhile is found: the step fails later, for want of wheels.
        (checkout / "images" / "gamma" / "1").mkdir(parents=True)
        (checkout / "images" / "gamma" / "1" / "requirements.lock").write_text("nonsense ==")
        (checkout / "images" / "gamma" / "1" / "image.toml").write_text(
            TOML.format(name="gamma", version="1", default="true")
        )
        gamma = next(recipe for recipe in find_recipes(checkout) if recipe.name == "gamma@1").ref
        found = failure_of(msgspec.structs.replace(step, executor=gamma))
        assert "unknown executor" not in found.message
    finally:
        site.close()


def test_a_warm_session_of_an_executor_that_has_changed_does_not_start(checkout: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    executor = other(find_recipes(checkout)[0].ref)
    registry = SessionRegistry(cache)
    registry.create()
    spec = DaemonSpec(executor=executor, runtime="process", idle_s=1.0, root=str(checkout), cache=str(cache))
    with pytest.raises(SessionFailed) as refused:
        start_daemon(spec, registry.entry(executor, "process"))
    failure = refused.value.failure
    assert failure.category == "environment"
    assert f"warm session: {checkout}/images/alpha/1 has changed: its digest is " in failure.message
    assert failure.hint == "run the command again"
