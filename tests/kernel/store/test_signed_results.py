"""Signed results: what counts, whatever bytes a shared store holds."""

import json
import pickle
from pathlib import Path

import pytest
from bskernel.config import StoreSection
from bskernel.core.action import ActionResult
from bskernel.store import SharedSettings, shared_settings
from bskernel.store.codec import MAX_RESULT, MAX_STORED, decoded_result, encoded_result, payload_of
from bskernel.store.seal import SEAL_BYTES
from bskernel.store.signed_results import SignedResults
from hypothesis import given
from hypothesis import strategies as st
from support.signing_keys import write_pair

KEY = "0" * 64
DATA = encoded_result(KEY, ActionResult(outputs=(), record={"n": 1}))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> SharedSettings:
    folder = tmp_path_factory.mktemp("signed")
    private, public = write_pair(folder, "ci")
    section = StoreSection(shared="here", mode="write-through", signed_by=(public,), sign_with=private)
    found = shared_settings(section, folder)
    assert found is not None
    return found


def test_what_is_wrapped_is_admitted_and_decodes_with_and_without_a_key(shared: SharedSettings) -> None:
    signed = SignedResults(shared, pytest.fail)
    wrapped = signed.wrap(DATA)
    assert signed.admit(wrapped) == DATA
    plain = SignedResults(SharedSettings(url=shared.url, mode="write-through"), pytest.fail)
    assert plain.admit(wrapped) == plain.admit(DATA) == plain.wrap(DATA) == DATA
    assert payload_of(wrapped) == DATA
    assert signed.admit(None) is None


@given(data=st.data())
def test_whatever_is_not_signed_by_the_key_is_missing(data: st.DataObject, shared: SharedSettings) -> None:
    notes: list[str] = []
    signed = SignedResults(shared, notes.append)
    wrapped = bytearray(signed.wrap(DATA))
    wrapped[data.draw(st.integers(0, len(wrapped) - 1))] ^= data.draw(st.integers(1, 255))
    assert signed.admit(bytes(wrapped)) in {None, DATA}, "the hint to a key may be altered"
    for other in (DATA, data.draw(st.binary(min_size=1)), b"{" * data.draw(st.integers(1, 3000))):
        assert signed.admit(other) is None
        payload_of(other)
    assert len(notes) == 1, "it is said once"


def test_a_signed_result_stands_for_no_other_action(shared: SharedSettings) -> None:
    signed = SignedResults(shared, pytest.fail)
    admitted = signed.admit(signed.wrap(DATA))
    assert decoded_result(KEY, admitted) is not None
    assert decoded_result("1" * 64, admitted) is None


def test_the_largest_result_fits_into_an_envelope(shared: SharedSettings) -> None:
    document = json.loads(SignedResults(shared, pytest.fail).wrap(b"x"))
    around = len(json.dumps(document)) - len(document["payload"])
    assert around + 4 * -(-(MAX_RESULT + SEAL_BYTES) // 3) <= MAX_STORED


def test_who_only_reads_needs_no_key_to_sign_with(tmp_path: Path) -> None:
    _, public = write_pair(tmp_path, "ci")
    section = StoreSection(shared="here", signed_by=(public,), sign_with="nowhere.pem")
    found = shared_settings(section, tmp_path)
    assert found is not None
    assert found.sign_with is None


def test_settings_reach_another_process_and_show_no_key(shared: SharedSettings) -> None:
    assert pickle.loads(pickle.dumps(shared)) == shared  # noqa: S301 - our own bytes
    assert shared.sign_with is not None
    secret = shared.sign_with.pem.splitlines()[1]
    assert secret not in f"{shared!r} {shared.sign_with!r}"
    assert SharedSettings(url=shared.url).origin != shared.origin
