"""Which servers will never answer, and which are only silent."""

from collections.abc import Iterable, Iterator

import pytest
from bskernel.runtime.watch import LivenessWatch, Look, ServerState, VitalSigns

HOURS = 3 * 3600  # looks


def look(
    received: int = 0, messages: int = 0, torn: bool = False, state: ServerState = "running", used: float | None = 1.0
) -> Look:
    signs = VitalSigns(state=state, used=used, what="process 7")
    return Look(received=received, messages=messages, torn=torn, expects_heartbeat=True, signs=signs)


def first_wrong(looks: Iterable[Look]) -> tuple[int, str] | None:
    watch = LivenessWatch()
    return next(((number, wrong) for number, each in enumerate(looks) if (wrong := watch.judge(each))), None)


def test_a_silent_step_whose_server_says_that_it_reacts_is_never_given_up() -> None:
    assert first_wrong(look(received=15 * (second // 2), messages=second // 2) for second in range(HOURS)) is None


def test_a_server_that_computes_without_a_word_is_never_given_up() -> None:
    assert first_wrong(look(used=float(second)) for second in range(HOURS)) is None


def test_a_server_that_waits_for_a_disk_is_never_given_up() -> None:
    assert first_wrong(look(state="waiting") for _ in range(HOURS)) is None


def test_nothing_is_expected_of_a_server_while_no_step_runs() -> None:
    idle = Look(
        received=0, messages=0, torn=False, expects_heartbeat=False, signs=VitalSigns(state="running", used=0)
    )
    assert first_wrong(idle for _ in range(HOURS)) is None


@pytest.mark.parametrize(
    ("state", "torn", "used", "words"),
    [
        ("stopped", False, 1.0, "process 7 is stopped"),
        ("gone", False, None, "process 7 is gone"),
        ("running", True, 1.0, "part of a message"),
        ("running", False, 1.0, "process 7 is stuck"),
        ("unknown", False, None, "process 7 is stuck"),
    ],
)
def test_what_never_answers_is_given_up_within_a_minute(
    state: ServerState, torn: bool, used: float | None, words: str
) -> None:
    found = first_wrong(look(state=state, torn=torn, used=used) for _ in range(100))
    assert found is not None
    second, wrong = found
    assert second <= 61
    assert words in wrong


def test_a_server_that_was_stopped_for_a_moment_goes_on() -> None:
    def stopped_now_and_then() -> Iterator[Look]:
        for second in range(1_000):
            yield look(received=second // 6, state="stopped" if second % 6 < 4 else "running")

    assert first_wrong(stopped_now_and_then()) is None


def test_a_message_whose_rest_is_other_messages_is_torn() -> None:
    found = first_wrong(look(received=15 * second, messages=3, torn=True, used=None) for second in range(100))
    assert found is not None
    assert "part of a message" in found[1]


def test_a_large_message_may_take_its_time() -> None:
    assert first_wrong(look(received=second << 16, messages=3, torn=True, used=None) for second in range(250)) is None
