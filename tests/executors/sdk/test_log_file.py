"""A step's log has every line at once, and an end."""

import os
from pathlib import Path

import msgspec
import pytest
from bskernel_executors.sdk.log_file import LogFile
from bskernel_protocol import LogLine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

LARGEST = (1 << 20) + 20_000


def line(text: str) -> LogLine:
    return LogLine(seconds=0.0, stream="stdout", text=text)


def texts(folder: Path) -> list[str]:
    lines = (folder / "log.jsonl").read_bytes().splitlines()
    return [msgspec.json.decode(line, type=LogLine).text for line in lines]


def test_a_line_is_on_disk_before_the_log_is_closed(tmp_path: Path) -> None:
    log = LogFile(tmp_path)
    log.write(line("first"))
    assert texts(tmp_path) == ["first"]
    log.close(1.0)
    assert texts(tmp_path) == ["first"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(st.lists(st.integers(1, 60_000), max_size=60))
def test_a_log_keeps_its_start_and_its_end_and_says_what_is_missing(tmp_path: Path, sizes: list[int]) -> None:
    log = LogFile(tmp_path, LARGEST)
    written = [f"{number} " + "x" * size for number, size in enumerate(sizes)]
    for text in written:
        log.write(line(text))
    log.close(1.0)
    found = texts(tmp_path)
    assert (tmp_path / "log.jsonl").stat().st_size <= LARGEST
    notes = [at for at, text in enumerate(found) if text.endswith("left out here: the log is too long)")]
    if not notes:
        assert found == written
    else:
        (at,) = notes
        lost = len(written) - (len(found) - 1)
        assert lost > 0
        assert found[at].startswith(f"({lost:,} lines, ")
        assert found[:at] == written[:at]
        assert found[at + 1 :] == written[at + lost :]


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("elsewhere"), lambda path: os.mkfifo(path)])
def test_what_is_in_the_way_is_replaced_and_not_followed(tmp_path: Path, make: object) -> None:
    make(tmp_path / "log.jsonl")  # type: ignore[operator]
    log = LogFile(tmp_path)
    log.write(line("first"))
    log.close(0.0)
    assert texts(tmp_path) == ["first"]
    assert not (tmp_path / "elsewhere").exists()
