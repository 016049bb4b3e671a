"""Vivado's logs: messages, and which of them is the first true cause."""

from pathlib import Path

import pytest
from bskernel_executors.sdk.classification import match_log
from bskernel_executors.sdk.rules_file import shared_rules
from bskernel_executors.vivado_reports import find_cause, find_wrong_design, read_log
from bskernel_executors.vivado_reports.redaction import redact_tree

DATA = Path(__file__).parents[1] / "reports"


def log_of(name: str):  # type: ignore[no-untyped-def]
    return read_log((DATA / name).read_text(encoding="utf-8"))


def test_a_run_that_misses_its_clock_has_no_cause_of_failure() -> None:
    log = log_of("2019.1_zynq7010_redpitaya_impl_TIMING_FAILED.vdi")
    assert (log.tool, log.version, log.build) == ("Vivado", "2019.1", "2552052")
    counts = {level: sum(message.severity == level for message in log.messages) for level in ("INFO", "WARNING")}
    assert counts == {"INFO": 215, "WARNING": 26}
    (critical,) = (message for message in log.messages if message.severity == "CRITICAL WARNING")
    assert (critical.id, critical.line) == ("Timing 38-282", 964)
    assert critical.text.startswith("The design failed to meet the timing requirements.")
    match = match_log(shared_rules(), "", log.lines)
    assert match is not None
    assert match.rule.id == "clock-not-met"
    assert find_cause(log) is None


def test_a_whole_log_of_2024() -> None:
    log = log_of("2024.2_zynq7_enclustra_impl.vdi")
    assert (log.version, log.build) == ("2024.2", "5239630")
    critical = [message.id for message in log.messages if message.severity == "CRITICAL WARNING"]
    assert critical == ["Memdata 28-165", "Memdata 28-122", "Memdata 28-147", "Memdata 28-96"]
    assert find_cause(log) is None
    assert match_log(shared_rules(), "", log.lines) is None
    assert find_wrong_design(log) is None


def test_a_message_tells_the_file_and_line_it_points_to() -> None:
    (message,) = read_log("x\nERROR: [Synth 8-439] module 'mvu' not found [/a b/top.sv:12]\n").messages
    assert (message.severity, message.id, message.line) == ("ERROR", "Synth 8-439", 2)
    assert (message.text, message.source) == ("module 'mvu' not found", "/a b/top.sv:12")


CASES = [
    ("ERROR: [Synth 8-439] module 'mvu' not found [top.sv:3]", "synthesis", "Synth 8-439"),
    ("ERROR: [Synth 8-9999] something new", "synthesis", "Synth 8-9999"),
    ("ERROR: [Synth 8-5835] Resources of type BRAM have been overutilized.", "resource", "Synth 8-5835"),
    (
        "ERROR: [DRC UTLZ-1] Resource utilization: LUT as Logic over-utilized",
        "resource",
        "DRC UTLZ-1",
    ),
    ("ERROR: [DRC NSTD-1] Unspecified I/O Standard", "synthesis", "DRC NSTD-1"),
    ("ERROR: [DRC MDRV-1] Multiple Driver Nets", "synthesis", "DRC MDRV-1"),
    ("ERROR: [Place 30-640] Place Check : This design requires more Slice LUTs", "resource", "Place 30-640"),
    ("ERROR: [Common 17-345] A valid license was not found for feature 'Synthesis'", "licence", "Common 17-345"),
    ("ERROR: [BD 5-390] IP definition not found for VLNV: xilinx.com:hls:x:1.0", "synthesis", "BD 5-390"),
    ("ERROR: [HLS 200-70] Compilation errors found", "synthesis", "HLS 200-70"),
    ("ERROR: [Fresh 1-1] nobody has seen this", "unknown", "Fresh 1-1"),
    ("An unexpected error has occurred (11)", "crash", None),
    ('invalid command name "create_bd_design"', "synthesis", None),
    ("Abnormal program termination (6)", "crash", None),
    ("/tools/loader: line 299: 71923 Killed", "out_of_memory", None),
    ("terminate called after throwing\nstd::bad_alloc", "out_of_memory", None),
    ("ERROR: [Common 17-185] write failed: No space left on device", "environment", None),
]


@pytest.mark.parametrize(("text", "category", "identity"), CASES)
def test_the_cause_comes_before_what_only_follows_it(text: str, category: str, identity: str | None) -> None:
    before = "ERROR: [Memdata 28-96] Could not find a BMM_INFO_DESIGN property in the design.\n"
    after = (
        "ERROR: [Common 17-39] 'place_design' failed due to earlier errors.\n"
        "ERROR: [Vivado 12-13638] Failed runs(s) : 'impl_1'\n"
        "ERROR: [Common 17-69] Command failed: Synthesis failed\n"
    )
    cause = find_cause(read_log(f"INFO: [Common 17-83] Releasing license\n{before}{text}\n{after}"))
    assert cause is not None
    assert (cause.category or "unknown", cause.id) == (category, identity)
    assert cause.line == len(text.splitlines()) + 2
    assert cause.text == text.splitlines()[-1].strip()


def test_errors_that_follow_alone_are_no_cause() -> None:
    assert find_cause(read_log("ERROR: [Common 17-39] 'source' failed due to earlier errors.\n")) is None


def test_a_message_that_another_tool_passes_on_is_one_and_a_quoted_one_is_none() -> None:
    passed, quoted = "[10:21:07] ERROR: [v++ 60-602] no", "INFO: [Common 17-1] said ERROR: [Synth 8-1] no"
    found = read_log(f"{passed}\n{quoted}\nthere was an ERROR: no\nERROR: no\n").messages
    assert [(message.severity, message.id, message.line) for message in found] == [
        ("ERROR", "v++ 60-602", 1),
        ("INFO", "Common 17-1", 2),
        ("ERROR", None, 4),
    ]


def test_a_design_that_lost_a_memory_s_contents_is_another_design() -> None:
    text = "CRITICAL WARNING: [Synth 8-4445] could not open $readmem data file 'w.dat'"
    found = find_wrong_design(read_log(f"x\n{text}\n"))
    assert found is not None
    assert (found.whole, found.line) == (text, 2)


def test_every_message_of_the_table_has_one_meaning() -> None:
    plain = [rule for rule in shared_rules() if rule.text is None]
    ids = [identity for rule in plain for identity in rule.when.message]
    assert len(ids) == len(set(ids))
    # A rule for one wording of a message comes before the one for all of them.
    for rule in shared_rules():
        assert not rule.text or all(any(other.matches_id(found) for other in plain) for found in rule.when.message)


def test_logs_and_reports_of_a_tree_lose_machine_and_date_and_keep_all_else(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    log = "# Running On: box, OS: Linux\n# Start of session at: Tue\nERROR: [Synth 8-439] on the Host : kept\n"
    (tmp_path / "run" / "vivado.log").write_bytes(log.encode() + b"\xff\n")
    (tmp_path / "run" / "top.v").write_text("| Host : box")
    redact_tree(tmp_path)
    text = b"# Running On: ...\n# Start of session at: ...\nERROR: [Synth 8-439] on the Host : kept\n\xff\n"
    assert (tmp_path / "run" / "vivado.log").read_bytes() == text
    assert (tmp_path / "run" / "top.v").read_text() == "| Host : box"
