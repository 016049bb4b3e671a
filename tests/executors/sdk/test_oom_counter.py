"""Count the processes that the system killed for lack of memory."""

from pathlib import Path

import pytest
from bskernel_executors.sdk.oom_counter import list_counter_files, read_counter


@pytest.mark.parametrize(
    ("cgroup", "files"),
    [
        ("0::/\n", ["/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory.events"]),
        ("0::/user.slice/a\n", ["/sys/fs/cgroup/user.slice/a/memory.events", "/sys/fs/cgroup/memory.events"]),
        (
            "9:memory:/docker/4f\n3:cpu,cpuacct:/docker/4f\n0::/system.slice\n",
            [
                "/sys/fs/cgroup/memory/docker/4f/memory.oom_control",
                "/sys/fs/cgroup/memory/memory.oom_control",
                "/sys/fs/cgroup/system.slice/memory.events",
                "/sys/fs/cgroup/memory.events",
            ],
        ),
    ],
)
def test_both_versions_of_control_groups_are_asked(cgroup: str, files: list[str]) -> None:
    assert [str(path) for path in list_counter_files(cgroup)] == files


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n", 2),
        ("oom_kill_disable 0\nunder_oom 0\noom_kill 5\n", 5),
        ("oom_kill_disable 0\nunder_oom 0\n", None),
    ],
)
def test_processes_that_were_ended_are_counted(tmp_path: Path, text: str, count: int | None) -> None:
    (tmp_path / "events").write_text(text)
    assert read_counter([tmp_path / "none", tmp_path / "events"]) == count
