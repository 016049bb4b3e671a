"""The parts of a cluster that need none: what is asked of whom."""

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bskernel.cluster.address import LocalAddress, QueueAddress, QueueName, SchedulerAddress, parse_address
from bskernel.cluster.connection import batch_systems, queue_options
from bskernel.cluster.messages import (
    Rejected,
    Site,
    StepAnswer,
    StepNews,
    StepRequest,
    decode_answer,
    decode_news,
    decode_request,
    encode,
)
from bskernel.cluster.request import ClusterRequest
from bskernel.cluster.resources import find_shortage, limits_on, split_limits, step_demand
from bskernel.config import BuildSection, ClusterSection, Config, LimitsSection
from bskernel.config.decoder import convert
from bskernel.core.action import ActionResult, action_of
from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.core.step import ExecutorRef, Step
from bskernel.core.tool import ToolInstall
from bskernel.execution.step_runner import StepOutcome
from bskernel.store import DiskStore, SharedSettings
from bskernel.store.settings import KeyText
from bskernel.workspace.worker_pools import cluster_pool
from bskernel_protocol import Artifact, Digest, Failure, OutputLine
from hypothesis import given
from hypothesis import strategies as st

TOOL = ToolInstall(tool="vivado", product="Vivado", version="1", build="2", fingerprint="f", root=Path("/opt/v"))
STEP = Step(
    index=3,
    name="synth",
    executor=ExecutorRef(name="e", version="1", digest="d", tools=(TOOL,)),
    entry="synth",
    parameters={"depth": 3},
    inputs={},
    outputs=(),
    needs=("vivado",),
    memory_mib=4000,
)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("local:4", LocalAddress(workers=4)),
        ("tcp://login:8786", SchedulerAddress(address="tcp://login:8786")),
        ("tls://[::1]:1", SchedulerAddress(address="tls://[::1]:1")),
        ("lsf", QueueAddress(system="lsf")),
    ],
)
def test_where_a_cluster_is(text: str, place: object) -> None:
    assert parse_address(text) == place


@given(st.text(max_size=30))
def test_whatever_else_is_said_is_told_to_be_no_place(text: str) -> None:
    with contextlib.suppress(ConfigError):
        assert isinstance(parse_address(text), LocalAddress | SchedulerAddress | QueueAddress)


def test_a_step_holds_what_its_entry_needs_and_its_memory() -> None:
    assert step_demand(STEP, None, memory=True) == {"vivado": 1, "memory_mib": 4000}
    assert step_demand(STEP, frozenset({"licence"}), memory=False) == {}


@pytest.mark.parametrize(
    ("workers", "why"),
    [
        ([{"vivado": 1, "memory_mib": 8000}], None),
        ([{"vivado": 1}, {"memory_mib": 8000}], "no worker of the cluster declares all of vivado, memory_mib"),
        ([{"memory_mib": 8000}], "no worker of the cluster declares the resource vivado"),
        ([{"vivado": 1, "memory_mib": 2000}], "no worker of the cluster declares more than 2000 of memory_mib"),
        ([], "no worker of the cluster declares the resource vivado"),
    ],
)
def test_what_no_worker_will_ever_have_is_named(workers: list[dict[str, float]], why: str | None) -> None:
    found = find_shortage(step_demand(STEP, None, memory=True), workers)
    assert (found is None) == (why is None)
    assert why is None or (found or "").startswith(why)


@given(st.dictionaries(st.sampled_from("abc"), st.integers(1, 9)), st.integers(1, 5))
def test_workers_declare_together_what_there_is(resources: dict[str, int], workers: int) -> None:
    hands = split_limits(resources, workers)
    assert len(hands) == workers
    assert {name: sum(hand.get(name, 0) for hand in hands) for name in resources} == resources
    assert all(amount > 0 for hand in hands for amount in hand.values())


def test_limits_of_this_machine_are_not_those_of_others() -> None:
    section = LimitsSection(memory_mib=100, resources={"vivado": 2})
    assert limits_on(LocalAddress(workers=3), section) == {"jobs": 6, "memory_mib": 100, "vivado": 2}
    there = limits_on(QueueAddress(system="pbs"), section)
    assert there.keys() == {"jobs", "vivado"}
    assert limits_on(QueueAddress(system="pbs"), LimitsSection(jobs=5))["jobs"] == 5


SECTION = ClusterSection(
    workers=3,
    steps=2,
    cores=4,
    memory="16GiB",
    queue="short",
    walltime="01:00:00",
    directives=("--constraint=vivado",),
    prologue=("module load vivado",),
    python="/nfs/python",
    resources={"vivado": 1},
)


@pytest.mark.parametrize(
    ("system", "lines"),
    [
        ("slurm", ("#SBATCH -p short", "#SBATCH --cpus-per-task=4", "#SBATCH --mem=16G", "#SBATCH -t 01:00:00")),
        ("lsf", ("#BSUB -q short", "#BSUB -n 4", "#BSUB -W 01:00")),
        ("pbs", ("#PBS -q short", "#PBS -l select=1:ncpus=4:mem=16GB", "#PBS -l walltime=01:00:00")),
    ],
    ids=["slurm", "lsf", "pbs"],
)
def test_a_batch_system_is_asked_for_what_the_table_says(system: QueueName, lines: tuple[str, ...]) -> None:
    options = queue_options(SECTION)
    if system == "lsf":
        options |= {"walltime": "01:00", "use_stdin": True, "lsf_units": "mb"}
    made: Any = batch_systems()[system]
    script = made.job_cls(scheduler="tcp://login:1", name="w", **options).job_script()
    for line in (*lines, "module load vivado", "export PYTHONSAFEPATH=1"):
        assert line in script
    assert "--constraint=vivado" in script
    command = next(line for line in script.splitlines() if "dask_worker" in line)
    assert command.startswith("/nfs/python -m distributed.cli.dask_worker tcp://login:1")
    assert command.endswith("--resources memory_mib=16384,vivado=1 --nthreads 2")


def test_to_know_batch_systems_leaves_interrupts_alone() -> None:
    code = "import signal; from bskernel.cluster.connection import batch_systems; print(*batch_systems()); "
    code += "print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["slurm", "lsf", "pbs", "True"]


def test_a_table_that_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match="workers must be above 0, not 0"):
        convert({"workers": 0}, ClusterSection, "build.toml")


def test_messages_come_back_as_they_were() -> None:
    artifact = Artifact(name="m", kind="file", digest=Digest(sha256="0" * 64, size=1), media_type="x")
    site = Site(
        code="c",
        root="/r",
        runtime="auto",
        cache=None,
        shared=SharedSettings(
            url="s3://b",
            options={"endpoint_url": "http://x"},
            signed_by=(KeyText(name="ci.pub", pem="public"),),
            sign_with=KeyText(name="ci.pem", pem="private"),
        ),
        handed_over=True,
    )
    order = StepRequest(
        site=site,
        step=STEP,
        action=action_of(STEP, {"m": artifact}),
        inputs={"m": artifact},
        share=True,
        damaged=False,
        topic="t",
    )
    assert decode_request(encode(order)) == order
    assert decode_request(encode(order)).site.digest == site.digest
    failure = Failure(category="kernel", message="no", facts={"exit_status": 1})
    outcome = StepOutcome(result=ActionResult(outputs=(artifact,), record={"a": 1.5}), failure=None, log=b"\xff")
    ended = StepAnswer(outcome=outcome, seconds=0.5, recalled=False, doubtful=True, runtime="process", worker="w")
    for answer in (ended, Rejected(failure=failure)):
        assert decode_answer(encode(answer)) == answer
    said = OutputLine(directory="d", stream="stdout", text="é")
    for last in (None, ended, Rejected(failure=failure)):
        news = StepNews(key="k", events=(said,), answer=last)
        assert decode_news(encode(news)) == news


def test_without_dask_the_command_to_install_it_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    config = Config(build=BuildSection(model="m"))
    wanted = ClusterRequest(config=config, shared=None, root=tmp_path, cache=tmp_path, runtime="process", share=True)
    with (
        pytest.raises(EnvironmentLacking, match="needs Dask") as raised,
        cluster_pool("local:1", wanted, DiskStore(tmp_path), print),
    ):
        pass
    assert "bskernel[cluster]" in (raised.value.hint or "")
