"""Copies of given files lie where the configuration's paths find them, and never outside their folder."""

import posixpath

from bskernel.lock.given_places import places_for
from hypothesis import given
from hypothesis import strategies as st

PARTS = st.lists(st.sampled_from(["..", "a", "b", "c"]), max_size=4)
KEYS = st.lists(PARTS.map(lambda parts: "/".join([*parts, "net.onnx"])), min_size=1, max_size=5)


@given(KEYS)
def test_every_path_of_the_configuration_leads_to_its_file_inside_the_folder(keys: list[str]) -> None:
    places = places_for(keys)
    for key in keys:
        place = places.files[key]
        assert not place.startswith(("..", "/"))
        assert posixpath.normpath(posixpath.join("/folder", places.config, key)) == f"/folder/{place}"


def test_files_beside_the_configuration_need_no_folders() -> None:
    places = places_for(["net.onnx", "data/samples.npz"])
    assert (places.config, places.files["net.onnx"]) == ("", "net.onnx")
