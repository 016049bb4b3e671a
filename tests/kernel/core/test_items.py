"""A tree as items, and what was made of each as trees."""

import pytest
from bskernel.core.items import join_outputs, outputs_of_items, split_tree
from bskernel_protocol import Artifact, OutputDescription, TreeFile, TreeListing, digest_of_bytes
from hypothesis import given
from hypothesis import strategies as st

NAMES = st.text("abz._-", min_size=1, max_size=4).map(lambda text: f"n{text}")
FOLDERS = st.dictionaries(NAMES, st.dictionaries(NAMES, st.sampled_from("xyz"), min_size=1, max_size=3), min_size=1)


def listing(files: dict[str, str]) -> TreeListing:
    return TreeListing(
        files=tuple(TreeFile(path=path, digest=digest_of_bytes(files[path].encode())) for path in sorted(files))
    )


def tree(folders: dict[str, dict[str, str]]) -> TreeListing:
    return listing({f"{name}/{path}": text for name, files in folders.items() for path, text in files.items()})


@given(FOLDERS)
def test_each_folder_is_in_one_item_and_equal_folders_are_in_the_same(folders: dict[str, dict[str, str]]) -> None:
    items = split_tree(tree(folders))
    assert sorted(name for item in items for name in item.names) == sorted(folders)
    for item in items:
        assert {listing(folders[name]) for name in item.names} == {item.listing}
    assert len({item.listing for item in items}) == len(items)


@given(FOLDERS)
def test_trees_of_items_joined_are_the_tree_they_were_split_from(folders: dict[str, dict[str, str]]) -> None:
    whole = tree(folders)
    listings = {digest_of_bytes(str(item.listing).encode()): item.listing for item in split_tree(whole)}
    made = {
        name: [Artifact(name="copy", kind="tree", digest=digest)]
        for digest, known in listings.items()
        for item in split_tree(whole)
        if item.listing == known
        for name in item.names
    }
    assert join_outputs(made, lambda artifact: listings[artifact.digest]) == {"copy": whole}


def test_a_file_of_an_item_is_in_its_folder_under_the_output_s_name() -> None:
    digest = digest_of_bytes(b"5")
    made = {"b": [Artifact(name="weight", kind="file", digest=digest)], "a": []}
    joined = join_outputs(made, lambda _: TreeListing(files=()))
    assert joined == {"weight": TreeListing(files=(TreeFile(path="b/weight", digest=digest),))}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a/x": "1", "notes.txt": "2"}, "'notes.txt' is a file: beside the folders"),
        ({"a b/x": "1"}, "'a b' cannot name an item"),
        ({f"{'a' * 101}/x": "1"}, "at most 100 letters"),
    ],
)
def test_a_tree_that_is_not_made_of_items_is_refused_with_what_is_wrong(files: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        split_tree(listing(files))


def test_an_empty_tree_has_no_items() -> None:
    assert split_tree(listing({})) == ()


def test_every_output_of_items_is_a_tree() -> None:
    outputs = outputs_of_items(
        [
            OutputDescription("n", "file", media_type="application/json"),
            OutputDescription("t", "tree", required=False),
        ]
    )
    assert [(output.name, output.kind, output.required) for output in outputs] == [
        ("n", "tree", True),
        ("t", "tree", False),
    ]
    assert {output.media_type for output in outputs} == {"application/octet-stream"}
