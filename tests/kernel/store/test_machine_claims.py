"""Claims among machines: each machine a `MachineClaims` of its own, with times short enough for a test."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from bskernel.store import SharedSettings
from bskernel.store.machine_claims import ClaimTimes, MachineClaim, MachineClaims
from bskernel.store.remote import RemoteStore
from support.eventually import eventually
from support.s3_server import BUCKET, S3Server

KEY = "a" * 64
TIMES = ClaimTimes(first=0.0, renewed=0.05, expired=2.0)
NEVER = ClaimTimes(first=3600.0)


@pytest.fixture(params=["folder", "s3", "ssh"])
def settings(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SharedSettings:
    """An empty shared store."""
    if request.param == "folder":
        (tmp_path / "shared").mkdir()
        return SharedSettings(url=str(tmp_path / "shared"), mode="write-through")
    if request.param == "ssh":
        ssh, root = request.getfixturevalue("ssh")
        (root / tmp_path.name).mkdir()
        return SharedSettings(url=ssh.url + tmp_path.name, mode="write-through", options=ssh.options)
    server: S3Server = request.getfixturevalue("s3")
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return SharedSettings(url=f"s3://{BUCKET}/{tmp_path.name}", mode="write-through")


@pytest.fixture
def machine(settings: SharedSettings) -> Iterator[Callable[..., MachineClaims]]:
    made: list[MachineClaims] = []

    def make(times: ClaimTimes = TIMES) -> MachineClaims:
        made.append(MachineClaims(RemoteStore(settings), lambda: True, times))
        return made[-1]

    yield make
    for one in made:
        one.close()
    assert list(RemoteStore(settings).items("claims")) == [], "claims outlive those who made them"


def claims(settings: SharedSettings) -> list[str]:
    return [item.name for item in RemoteStore(settings).items("claims")]


def test_who_comes_second_hears_of_the_first_and_waits_until_that_has_ended(
    machine: Callable[..., MachineClaims], settings: SharedSettings
) -> None:
    first, second = machine(), machine()
    heard = threading.Event()
    with first.announced(KEY, pytest.fail):
        eventually(lambda: claims(settings) == [KEY])
        with second.announced(KEY, heard.set):
            assert heard.wait(60)
        assert second.claimant(KEY) is not None
    assert second.claimant(KEY) is not None, "its result may still be on its way"
    first.release(KEY)
    eventually(lambda: second.claimant(KEY) is None)
    with second.announced(KEY, pytest.fail):
        eventually(lambda: claims(settings) == [KEY])
    second.release(KEY)
    eventually(lambda: claims(settings) == [])


def test_of_many_at_once_one_claims(machine: Callable[..., MachineClaims], settings: SharedSettings) -> None:
    remotes = [RemoteStore(settings) for _ in range(6)]
    for remote in remotes:
        assert remote.claim(KEY) is None
    barrier, made = threading.Barrier(6), list[bool]()

    def claim(remote: RemoteStore) -> None:
        barrier.wait()
        made.append(remote.create_claim(KEY, b"x"))

    threads = [threading.Thread(target=claim, args=(remote,)) for remote in remotes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False] * 5 + [True]
    remotes[0].remove("claims", KEY)


def test_what_ends_soon_costs_no_request(
    machine: Callable[..., MachineClaims], settings: SharedSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = machine(NEVER)
    with monkeypatch.context() as patched:
        patched.setattr(RemoteStore, "_opened", pytest.fail)
        with one.announced(KEY, pytest.fail):
            pass
        one.release(KEY)
        one.close()


def test_a_claim_that_is_not_renewed_expires_and_is_taken_over(
    machine: Callable[..., MachineClaims], settings: SharedSettings
) -> None:
    dead = MachineClaim(owner="a machine that is gone", nonce="x", written=time.time())
    assert RemoteStore(settings).create_claim(KEY, msgspec.json.encode(dead))
    patient, heard = machine(ClaimTimes(first=0.0, expired=3600.0)), threading.Event()
    with patient.announced(KEY, heard.set):
        assert heard.wait(60)
    assert patient.claimant(KEY) == "a machine that is gone"
    one = machine(ClaimTimes(first=0.0, expired=0.1))
    eventually(lambda: one.claimant(KEY) is None)
    with one.announced(KEY, pytest.fail):
        eventually(lambda: b"gone" not in (RemoteStore(settings).claim(KEY) or b"gone"))
    one.release(KEY)


@pytest.mark.parametrize("clock_off_s", [-300.0, 300.0])
def test_a_claim_that_is_renewed_lives_whatever_its_owner_s_clock_says(
    machine: Callable[..., MachineClaims], settings: SharedSettings, clock_off_s: float
) -> None:
    remote, one = RemoteStore(settings), machine(ClaimTimes(first=0.0, expired=0.5))
    claim = MachineClaim(owner="x", nonce="x", written=time.time() + clock_off_s)
    assert remote.create_claim(KEY, msgspec.json.encode(claim))
    until, count = time.monotonic() + 1.5, 0
    while time.monotonic() < until:
        count += 1
        remote.renew_claim(KEY, msgspec.json.encode(msgspec.structs.replace(claim, count=count)))
        assert one.claimant(KEY) == "x"
    remote.remove("claims", KEY)


def test_a_claim_of_long_ago_is_taken_over_at_once(
    machine: Callable[..., MachineClaims], settings: SharedSettings
) -> None:
    old = MachineClaim(owner="x", nonce="x", written=time.time() - 86_400)
    assert RemoteStore(settings).create_claim(KEY, msgspec.json.encode(old))
    one = machine(ClaimTimes(first=0.0))
    assert one.claimant(KEY) is None
    with one.announced(KEY, pytest.fail):
        eventually(lambda: (RemoteStore(settings).claim(KEY) or b"").count(b'"x"') == 0)
    one.release(KEY)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff" * 100, b"{" * 100_000])
def test_a_claim_that_nobody_can_read_stops_nobody_for_long(
    machine: Callable[..., MachineClaims], settings: SharedSettings, data: bytes
) -> None:
    if settings.url.startswith("s3") and not data:
        pytest.skip("there a file is never seen before it is whole")
    RemoteStore(settings).create_claim(KEY, data)
    one, done = machine(ClaimTimes(first=0.0, expired=0.1)), threading.Event()
    with one.announced(KEY, done.set):
        assert done.wait(60)
    eventually(lambda: one.claimant(KEY) is None)
    RemoteStore(settings).remove("claims", KEY)


def test_a_store_that_fails_stops_nobody(tmp_path: Path) -> None:
    one = MachineClaims(RemoteStore(SharedSettings(url=str(tmp_path / "gone"))), lambda: True, TIMES)
    with one.announced(KEY, pytest.fail):
        assert one.claimant(KEY) is None
        eventually(lambda: not [thread for thread in threading.enumerate() if thread.name == "bskernel-claims"])
    one.release(KEY)
    one.close()


def test_who_may_not_write_claims_nothing(settings: SharedSettings) -> None:
    one = MachineClaims(RemoteStore(settings), lambda: False, TIMES)
    with one.announced(KEY, pytest.fail):
        assert not [thread for thread in threading.enumerate() if thread.name == "bskernel-claims"]
    one.close()
    assert claims(settings) == []
