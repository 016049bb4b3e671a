"""The search path of recipes: an order that holds, and errors that name the folder and what to do."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.images import NamedFolder, Recipe, find_recipes, named_folders, search_recipes
from bskernel.images.description import describe
from bskernel.images.distributions import declared_folders
from support.paths import ROOT

TOML = """
executor = "{executor}"
version = "{version}"
summary = "for tests"
module = "m"
sources = ["bskernel_protocol", {source!r}]
"""


def write_recipe(folder: Path, name: str, code: str = "", source: str = "../../m.py") -> Path:
    """Write a recipe NAME@VERSION into a folder of recipes, with its module in that folder; returns that folder."""
    executor, _, version = name.partition("@")
    image = folder / executor / version
    image.mkdir(parents=True)
    (folder / "m.py").write_text(code)
    (image / "requirements.lock").write_text("")
    (image / "image.toml").write_text(TOML.format(executor=executor, version=version, source=source))
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with shipped@1."""
    folder = tmp_path / "checkout"
    for name in ("protocol", "docker"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).symlink_to(ROOT / name)
    write_recipe(folder / "images", "shipped@1")
    return folder


def named(*paths: Path) -> tuple[NamedFolder, ...]:
    return tuple(NamedFolder(path=path, origin="BSKERNEL_RECIPES") for path in paths)


def where(recipes: tuple[Recipe, ...]) -> dict[str, Path]:
    return {recipe.name: recipe.folder.parents[1] for recipe in recipes}


def install(site: Path, distribution: str, package: str, value: str | None = None, version: str = "1.0") -> None:
    """Write the metadata of an installed distribution whose entry point is `value`, or its package."""
    metadata = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    (metadata / "entry_points.txt").write_text(f"[bskernel.executors]\nmine = {value or package}\n")
    (site / package).mkdir(exist_ok=True)
    (site / package / "__init__.py").write_text("raise SystemExit('nobody may import this')")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on sys.path."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


def test_of_one_name_the_first_in_the_path_is_used_and_says_what_it_hides(root: Path, tmp_path: Path) -> None:
    first = write_recipe(tmp_path / "first", "shipped@1", code="changed = 1")
    second = write_recipe(tmp_path / "second", "shipped@1")
    found = search_recipes(root, named(first, second))
    assert where(found) == {"shipped@1": first}
    assert [other.folder.parents[1] for other in found[0].hidden] == [second, root / "images"]
    assert where(search_recipes(root, named(second, first))) == {"shipped@1": second}


def test_a_folder_that_is_twice_in_the_path_hides_nothing(root: Path, tmp_path: Path) -> None:
    folder = write_recipe(tmp_path / "mine", "mine@1")
    (tmp_path / "link").symlink_to(folder)
    found = search_recipes(root, named(folder, tmp_path / "link"))
    assert [recipe.hidden for recipe in found] == [(), ()]


@pytest.mark.parametrize("inside", [".", "images", "src/mine/images", "mine/images"])
def test_a_folder_a_package_and_a_project_of_recipes_may_be_named(root: Path, tmp_path: Path, inside: str) -> None:
    write_recipe(tmp_path / "project" / inside, "mine@1")
    assert "mine@1" in where(search_recipes(root, named(tmp_path / "project")))


def test_an_unknown_folder_and_one_without_recipes_are_refused_by_name(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"^BSKERNEL_RECIPES: {tmp_path / 'gone'}: no such folder$"):
        search_recipes(root, named(tmp_path / "gone"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=f"^BSKERNEL_RECIPES: {tmp_path / 'empty'}: no recipe in it$") as caught:
        search_recipes(root, named(tmp_path / "empty"))
    assert "EXECUTOR/VERSION/image.toml" in str(caught.value.hint)


@pytest.mark.parametrize("below", ["mine", "mine/1"])
def test_a_folder_too_deep_is_answered_with_the_right_one(root: Path, tmp_path: Path, below: str) -> None:
    folder = write_recipe(tmp_path / "recipes", "mine@1")
    with pytest.raises(ConfigError, match="no recipe in it") as caught:
        search_recipes(root, named(folder / below))
    assert caught.value.hint == f"name the folder above the executors: {folder}"


def test_the_variable_holds_folders_as_path_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("BSKERNEL_RECIPES", os.pathsep.join(["here", "", "/there", "~/mine"]))
    assert [folder.path for folder in named_folders()] == [tmp_path / "here", Path("/there"), Path("/home/me/mine")]
    monkeypatch.setenv("BSKERNEL_RECIPES", "")
    assert named_folders() == ()


def test_a_distribution_is_found_by_its_entry_point_and_nothing_of_it_is_imported(root: Path, site: Path) -> None:
    install(site, "some-mine", "mine")
    folder = write_recipe(site / "mine" / "images", "mine@1")
    found = search_recipes(root)
    assert where(found) == {"shipped@1": root / "images", "mine@1": folder}
    assert [recipe.origin for recipe in found] == ["", "some-mine 1.0"]
    assert "mine" not in sys.modules


def test_an_entry_point_may_name_a_folder_in_a_package(root: Path, site: Path) -> None:
    install(site, "some-mine", "mine", "mine.deep.recipes")
    folder = write_recipe(site / "mine" / "deep" / "recipes", "mine@1")
    assert where(search_recipes(root))["mine@1"] == folder


def test_a_distribution_whose_package_is_gone_is_named(root: Path, site: Path) -> None:
    install(site, "some-mine", "mine", "nowhere")
    with pytest.raises(ConfigError, match=r"some-mine 1\.0: mine = nowhere: no installed package 'nowhere'"):
        search_recipes(root)


def test_a_distribution_without_recipes_is_named(root: Path, site: Path) -> None:
    install(site, "some-mine", "mine")
    with pytest.raises(ConfigError, match=r"some-mine 1.0, an installed package with executors: .*no recipe in it"):
        search_recipes(root)


def test_two_distributions_may_not_differ_under_one_name_unless_a_folder_decides(root: Path, site: Path) -> None:
    install(site, "some-mine", "mine")
    install(site, "others-mine", "theirs")
    mine = write_recipe(site / "mine" / "images", "mine@1")
    theirs = write_recipe(site / "theirs" / "images", "mine@1")
    assert where(search_recipes(root))["mine@1"] == theirs  # of equal bytes it does not matter
    (mine / "m.py").write_text("different = True")
    with pytest.raises(ConfigError, match=r"different executors mine@1: others-mine 1\.0 in .*, some-mine 1\.0 in "):
        search_recipes(root)


def test_a_distribution_that_is_installed_twice_counts_once(site: Path, tmp_path: Path) -> None:
    install(site, "some-mine", "mine")
    later = tmp_path / "later"
    install(later, "some-mine", "mine", version="0.9")
    assert [item.distribution for item in declared_folders([str(site), str(later)])] == ["some-mine 1.0"]


def test_folders_that_are_not_there_and_archives_on_the_path_are_passed_over(site: Path, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"PK")
    install(site, "some-mine", "mine")
    found = declared_folders([str(tmp_path / "gone"), str(tmp_path / "x.zip"), str(site)])
    assert [item.distribution for item in found] == ["some-mine 1.0"]


def test_without_such_a_distribution_the_library_that_reads_metadata_is_not_loaded() -> None:
    code = (
        "import sys; from bskernel.images.distributions import declared_folders; declared_folders(); "
        "print('importlib.metadata' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_recipes_inside_of_a_package_are_no_part_of_its_code(root: Path, tmp_path: Path) -> None:
    package = tmp_path / "src" / "mine"
    folder = write_recipe(package / "images", "mine@1", source="../../../../mine")
    (package / "entries.py").write_text("")
    (recipe,) = (one for one in search_recipes(root, named(folder)) if one.name == "mine@1")
    own = [name for name, _ in recipe.source_files() if not name.startswith("bskernel_protocol/")]
    assert own == ["mine/entries.py"]
    digest = recipe.digest
    (folder / "mine" / "1" / "catalogue.json").write_text("{}")
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "entries.pyc").write_text("")
    assert next(one for one in search_recipes(root, named(folder)) if one.name == "mine@1").digest == digest
    (package / "entries.py").write_text("more = 1")
    assert next(one for one in search_recipes(root, named(folder)) if one.name == "mine@1").digest != digest


def test_a_source_in_an_installed_package_may_be_in_a_folder_of_another_name(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As an editable install of some build backends has it.
    place = tmp_path / "code"
    place.mkdir()
    (place / "__init__.py").write_text("raise SystemExit('nobody may import this')")
    (place / "entries.py").write_text("")
    spec = importlib.util.spec_from_file_location(
        "mapped", place / "__init__.py", submodule_search_locations=[str(place)]
    )

    class Finder:
        def find_spec(self, name: str, path: object = None, target: object = None) -> object:
            return spec if name == "mapped" else None

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder()])
    for source, files in (
        ("mapped", {"mapped/__init__.py", "mapped/entries.py"}),
        ("mapped/entries.py", {"mapped/entries.py"}),
    ):
        folder = write_recipe(tmp_path / source.replace("/", "-"), "mine@1", source=source)
        found = dict(search_recipes(root, named(folder))[0].source_files())
        assert {name for name in found if name.startswith("mapped")} == files


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("protocol/bskernel_protocol", "'protocol/bskernel_protocol': no installed package 'protocol'"),
        ("os.path/x", "no installed package 'os.path'"),
        ("../../gone.py", "no such file or folder: "),
        ("bskernel_protocol/gone.py", "no such file or folder: "),
    ],
)
def test_a_source_that_is_not_there_is_named(root: Path, tmp_path: Path, source: str, says: str) -> None:
    folder = write_recipe(tmp_path / "mine", "mine@1", source=source)
    recipe = search_recipes(root, named(folder))[0]
    with pytest.raises(ConfigError) as caught:
        list(recipe.source_files())
    assert f"{folder / 'mine/1/image.toml'}: sources: " in caught.value.message
    assert says in caught.value.message


def test_a_recipe_without_a_lock_says_how_to_make_it(root: Path, tmp_path: Path) -> None:
    folder = write_recipe(tmp_path / "mine", "mine@1")
    (folder / "mine/1/requirements.lock").unlink()
    with pytest.raises(ConfigError, match=r"requirements\.lock: cannot be read") as caught:
        _ = search_recipes(root, named(folder))[0].digest
    assert caught.value.hint == "make it: bskernel images lock mine@1"


@pytest.mark.env
@pytest.mark.parametrize(
    ("code", "says", "line"),
    [
        ("import gone\n", "ModuleNotFoundError: No module named 'gone'", 1),
        ("x = 1\nraise ValueError('a\\nb')\n", "ValueError: a b", 2),
        ("def x(\n", "SyntaxError: '(' was never closed", 1),
    ],
)
def test_code_that_cannot_be_imported_is_named_with_its_line_in_place_of_a_traceback(
    root: Path, tmp_path: Path, environments: Path, code: str, says: str, line: int
) -> None:
    folder = write_recipe(tmp_path / "mine", "mine@1", code=code)
    image = folder / "mine" / "1"
    shutil.copy(ROOT / "tests" / "testing_executor" / "requirements.lock", image)
    text = (image / "image.toml").read_text()
    sources = '"bskernel_protocol", "bskernel_executors/__init__.py", "bskernel_executors/sdk"'
    (image / "image.toml").write_text(text.replace('"bskernel_protocol"', sources))
    with pytest.raises(EnvironmentLacking) as caught:
        describe(search_recipes(root, named(folder))[0], environments, lambda _: None)
    assert caught.value.message == f"mine@1 cannot describe itself: {says} ({folder / 'm.py'}, line {line})"
    assert ("images lock mine@1" in str(caught.value.hint)) == says.startswith("Module")


def test_another_checkout_on_the_path_brings_its_own_modules_and_bases(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write_recipe(other / "images", "shipped@1")
    (other / "protocol" / "bskernel_protocol").mkdir(parents=True)
    (other / "protocol" / "bskernel_protocol" / "__init__.py").write_text("")
    (other / "docker").symlink_to(ROOT / "docker")
    ours, theirs = find_recipes(root)[0], search_recipes(root, named(other))[0]
    assert theirs.digest != ours.digest
    assert dict(theirs.source_files())["bskernel_protocol/__init__.py"].is_relative_to(other)


def test_the_list_of_recipes_says_where_each_came_from(root: Path, tmp_path: Path) -> None:
    changed = write_recipe(tmp_path / "changed", "shipped@1", code="changed = 1")
    program = Path(sys.executable).with_name("bskernel")
    variables = os.environ | {
        "BSKERNEL_ROOT": str(root),
        "BSKERNEL_RECIPES": str(changed),
        "BSKERNEL_CACHE": str(tmp_path / "cache"),
    }
    done = subprocess.run(
        [program, "images", "list", "--json"], capture_output=True, text=True, check=True, env=variables
    )
    (state,) = json.loads(done.stdout)
    assert state["folder"] == str(changed / "shipped" / "1")
    assert state["origin"] == "BSKERNEL_RECIPES"
    assert state["hides"] == [str(root / "images" / "shipped" / "1")]
