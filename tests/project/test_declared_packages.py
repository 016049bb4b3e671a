"""Each of the project's fixed packages is declared by the workspace member that imports it."""

import ast
import functools
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = {  # distribution -> module
    "docker": "docker",
    "onnx": "onnx",
    "qonnx": "qonnx",
    "finn-plus": "finn",
    "msgspec": "msgspec",
    "structlog": "structlog",
    "pytest": "pytest",
}
MEMBERS = {  # folder of the pyproject -> folders of its code
    "kernel": ("kernel",),
    "protocol": ("protocol",),
    "executors": ("executors",),
    "images": (),  # holds data alone
    ".": ("tests", "benchmarks"),
}
DOMAIN = {"onnx", "qonnx", "finn"}


def normalized(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement)
    assert match is not None, requirement
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def declared(member: str) -> set[str]:
    file = tomllib.loads((ROOT / member / "pyproject.toml").read_text())
    project = file["project"]
    lists = [project.get("dependencies", []), *project.get("optional-dependencies", {}).values()]
    lists += file.get("dependency-groups", {}).values()
    return {normalized(requirement) for requirements in lists for requirement in requirements}


def modules_imported(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            found.add(node.module.partition(".")[0])
    return found


def is_script_of_an_executor(file: Path) -> bool:
    """A helper of tests that an executor's own Python runs, with that executor's packages."""
    return not file.name.startswith("test_") and bool(modules_imported(file) & DOMAIN)


@functools.cache
def imported(member: str) -> set[str]:
    files = [file for folder in MEMBERS[member] for file in (ROOT / folder).rglob("*.py")]
    assert bool(files) == bool(MEMBERS[member])
    if member == ".":
        files = [file for file in files if not is_script_of_an_executor(file)]
    return set().union(*map(modules_imported, files))


def test_the_workspace_has_these_members() -> None:
    workspace = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["workspace"]
    assert {*workspace["members"], "."} == MEMBERS.keys()


@pytest.mark.parametrize("package", MODULES)
def test_a_fixed_package_is_declared_by_a_member_that_imports_it(package: str) -> None:
    declaring = {member for member in MEMBERS if package in declared(member)}
    importing = {member for member in MEMBERS if MODULES[package] in imported(member)}
    assert declaring & importing


@pytest.mark.parametrize("member", MEMBERS)
def test_a_member_declares_the_fixed_packages_that_it_imports(member: str) -> None:
    modules = imported(member)
    assert {package for package, module in MODULES.items() if module in modules} <= declared(member)


def test_every_lock_of_an_executor_has_structlog() -> None:
    locks = [*ROOT.glob("images/*/*/requirements.lock"), ROOT / "tests" / "testing_executor" / "requirements.lock"]
    assert len(locks) >= 8
    assert [lock for lock in locks if not re.search(r"^structlog==", lock.read_text(), re.MULTILINE)] == []


def test_the_locks_of_finn_have_what_finn_requires() -> None:
    """The workspace leaves that out of uv.lock; a lock that was compiled with the workspace's settings lacks it."""
    locks = [lock.read_text() for lock in ROOT.glob("images/finn-step/*/requirements.lock")]
    assert len(locks) == 2
    for lock in locks:
        assert lock.count("finn-plus\n") >= 10
