"""The import contracts bite, and what calls itself pure is held to it."""

import ast
import copy
import functools
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import grimp
import pytest
from importlinter.application.use_cases import read_user_options
from importlinter.configuration import configure
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.independence import IndependenceContract
from importlinter.contracts.layers import LayersContract
from importlinter.domain.contract import Contract
from support.paths import ROOT

CONFIG = ROOT / "pyproject.toml"
PURE = "what is pure touches no file, clock, process or socket"
# Of pathlib what reads or writes a disk, and the builtin; everything else needs a module that the contract forbids.
TOUCHES = {
    "absolute", "chmod", "cwd", "exists", "expanduser", "glob", "hardlink_to", "home", "is_dir",
    "is_file", "is_symlink", "iterdir", "lstat", "mkdir", "open", "read_bytes", "read_text", "readlink",
    "rename", "resolve", "rglob", "rmdir", "stat", "symlink_to", "touch", "unlink", "write_bytes",
    "write_text",
}  # fmt: skip

KINDS: dict[str, type[Contract]] = {
    "forbidden": ForbiddenContract,
    "independence": IndependenceContract,
    "layers": LayersContract,
}


def contracts() -> list[dict[str, Any]]:
    tables: list[dict[str, Any]] = tomllib.loads(CONFIG.read_text())["tool"]["importlinter"]["contracts"]
    return tables


@functools.cache
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(
        "bskernel", "bskernel_protocol", "bskernel_executors", include_external_packages=True, cache_dir=None
    )


def holds(name: str, planted: tuple[str, str] | None) -> bool:
    """Does the contract of that name hold, with one import more: (importer, imported)?"""
    configure()
    options = read_user_options(config_filename=str(CONFIG))
    (found,) = [item for item in options.contracts_options if item["name"] == name]
    kind = KINDS[found["type"]]
    contract = kind(name=name, session_options=options.session_options, contract_options=found)
    imports = copy.deepcopy(graph())
    if planted is not None:
        importer, imported = planted
        if imported not in imports.modules:
            imports.add_module(imported, is_squashed=True)
        imports.add_import(importer=importer, imported=imported, line_number=1, line_contents="planted")
    return bool(contract.check(imports, verbose=False).kept)


def bad_imports() -> Iterator[tuple[str, str, str]]:
    """Of each contract one import that it must not let pass."""
    for contract in contracts():
        name = contract["name"]
        if contract["type"] == "forbidden":
            yield name, contract["source_modules"][-1], contract["forbidden_modules"][-1]
        elif contract["type"] == "independence":
            yield name, contract["modules"][0], contract["modules"][-1]
        else:
            container = f"{contract['containers'][0]}." if "containers" in contract else ""
            top, bottom = (contract["layers"][at].split(" | ")[0] for at in (0, -1))
            yield name, f"{container}{bottom}", f"{container}{top}"


@pytest.mark.parametrize("name", [contract["name"] for contract in contracts()])
def test_a_contract_holds_as_the_code_is(name: str) -> None:
    assert holds(name, None)


@pytest.mark.parametrize(("name", "importer", "imported"), [pytest.param(*bad, id=bad[0]) for bad in bad_imports()])
def test_a_contract_refuses_a_planted_import(name: str, importer: str, imported: str) -> None:
    assert not holds(name, (importer, imported))


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("bskernel.plan.planner", "os"),
        ("bskernel.expr.parser", "subprocess"),
        ("bskernel.sweeps.planning.planner", "bskernel.workspace.workspace"),
        ("bskernel.config.schema", "time"),  # plan imports it: what it touches, the plan touches
    ],
)
def test_purity_counts_what_is_imported_indirectly(importer: str, imported: str) -> None:
    assert not holds(PURE, (importer, imported))


def test_execution_cannot_reach_a_runtime_through_another_folder() -> None:
    name = "execution knows runtimes, stores and images by their interfaces alone"
    assert not holds(name, ("bskernel.plan.planner", "bskernel.runtime.process"))


def modules() -> dict[str, ast.Module]:
    found = {}
    for path in sorted((ROOT / "kernel" / "bskernel").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT / "kernel").with_suffix("").parts).removesuffix(".__init__")
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def pure_by_contract(module: str) -> bool:
    (contract,) = [item for item in contracts() if item["name"] == PURE]
    return any(module == pure or module.startswith(f"{pure}.") for pure in contract["source_modules"])


def reads_files(module: str) -> bool:
    """Is it one of the modules that the contract names as the exception of its folder?"""
    (contract,) = [item for item in contracts() if item["name"] == PURE]
    return any(line.partition(" ->")[0] == module for line in contract["ignore_imports"] if line.endswith("-> os"))


def test_what_calls_itself_pure_is_under_the_contract() -> None:
    said = {name for name, tree in modules().items() if re.search(r"\bpure\b", ast.get_docstring(tree) or "", re.I)}
    assert said
    assert {name for name in said if not pure_by_contract(name)} == set()


def test_every_pure_folder_says_so_in_its_docstring() -> None:
    (contract,) = [item for item in contracts() if item["name"] == PURE]
    trees = modules()
    silent = [
        name
        for name in contract["source_modules"]
        if not re.search(r"\bpure\b", ast.get_docstring(trees[name]) or "", re.I)
    ]
    assert silent == []


def test_what_is_pure_calls_nothing_that_touches_a_disk() -> None:
    found = [
        f"{name}:{node.lineno} {ast.unparse(node.func)}"
        for name, tree in modules().items()
        if pure_by_contract(name) and not reads_files(name)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and (
            # Others have a `resolve` too; that of a path takes nothing.
            (
                isinstance(node.func, ast.Attribute)
                and node.func.attr in TOUCHES
                and not (node.func.attr == "resolve" and node.args)
            )
            or (isinstance(node.func, ast.Name) and node.func.id in {"open", "input", "print"})
        )
    ]
    assert found == []


def test_the_kernel_has_few_folders_and_no_module_at_its_top() -> None:
    top = [path for path in (ROOT / "kernel" / "bskernel").iterdir() if path.name != "__pycache__"]
    assert [path.name for path in top if path.suffix == ".py"] == ["__init__.py"]
    assert len(top) <= 27
