"""Plans of sweeps made by hand, and a crew that carries them out by arithmetic and counts what it does."""

import json
import queue
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from bskernel.core.action import Action, ActionResult
from bskernel.core.errors import EnvironmentLacking
from bskernel.core.interfaces import Wanted
from bskernel.core.observers import SilentObserver
from bskernel.core.step import ExecutorRef, FromStep, Step
from bskernel.execution.step_runner import StepOutcome
from bskernel.execution.worker_pool import Completion, PoolEvent
from bskernel.store import DiskStore
from bskernel.sweeps.analysis.table import Row
from bskernel.sweeps.execution.finished_point import FinishedPoint
from bskernel.sweeps.execution.node_run import NodeRun
from bskernel.sweeps.planning.graph import Node, Point, SweepPlan
from bskernel_protocol import Artifact, EntryDescription, Failure, InputDescription, OutputDescription

MODEL = OutputDescription(name="model", kind="file", media_type="x")
METRICS = OutputDescription(name="metrics", kind="file", media_type="application/json")
COLLECT = EntryDescription(
    name="collect",
    summary="",
    inputs=(
        InputDescription(name="model", kind="file", required=True, source="flow"),
        InputDescription(name="more", kind="file", required=False, source="flow"),
    ),
    outputs=(METRICS,),
    after_failure=True,
)


def entry_of(step: Step) -> EntryDescription | None:
    return COLLECT if step.entry == "collect" else None


def number(value: int) -> list[dict[str, Any]]:
    return [{"value": value, "unit": "count", "stage": "estimate", "source": "t"}]


class Arithmetic:
    """A crew. "add" adds `n` to its model, "fail" fails, "slip" fails once beside others, "collect" says a LUT."""

    runtime_name = "arithmetic"

    def __init__(
        self, store: DiskStore, lacking: Sequence[str] = (), stop_at: str | None = None, held: str | None = None
    ) -> None:
        """The end of the step `held` is told of when it is released."""
        self.events: queue.SimpleQueue[PoolEvent] = queue.SimpleQueue()
        self.ran: list[str] = []  # names, in order
        self.keys: Counter[str] = Counter()
        self.together: list[int] = []
        self.interrupted = False
        self.prepared: list[str] = []
        self._store = store
        self._lacking = lacking
        self._stop_at = stop_at
        self._held = held
        self._ended_late: list[Completion] = []

    def expect(self, executors: Sequence[ExecutorRef]) -> None:
        for executor in executors:
            self.prepared.append(executor.name)
            if executor.name in self._lacking:
                raise EnvironmentLacking(f"there is no {executor.name} here")

    def dismiss(self, executor: ExecutorRef) -> None:
        assert executor.name in self.prepared

    def begin(self, step: Step, action: Action, inputs: dict[str, Artifact]) -> None:
        if step.name == self._stop_at:
            raise KeyboardInterrupt
        self.ran.append(step.name)
        self.keys[action.key.sha256] += 1
        self.together.append(self.events.qsize() + 1)
        values = {name: int(self._store.get(item.digest) or b"") for name, item in inputs.items()}
        if step.entry == "fail" or (step.entry == "slip" and self.keys[action.key.sha256] == 1):
            failure = Failure(category="kernel", message="told to fail")
            outcome = StepOutcome(result=None, failure=failure, log=b"it failed")
            self._end(Completion(step=step, outcome=outcome, doubtful=step.entry == "slip"))
            return
        model = sum(values.values()) + int(step.parameters.get("n", 0))
        told = json.dumps({"LUT": number(model)} if step.entry == "collect" else model).encode()
        output = step.outputs[0]
        digest = self._store.put(told)
        artifact = Artifact(name=output.name, kind="file", digest=digest, media_type=output.media_type)
        result = ActionResult(outputs=(artifact,), log=self._store.put(f"log of {action.key.sha256}".encode()))
        self._store.remember(action, result)
        self._end(Completion(step=step, outcome=StepOutcome(result=result, failure=None, log=b"log")))

    def _end(self, done: Completion) -> None:
        if done.step.name == self._held:
            self._ended_late.append(done)
        else:
            self.events.put(done)

    def release(self) -> None:
        """Tell of the step that is held."""
        while self._ended_late:
            self.events.put(self._ended_late.pop())

    def interrupt(self) -> None:
        self.interrupted = True


class FarStore(DiskStore):
    """A store that never answers at once, and counts the lookups that run at the same time.

    With `together` a lookup is answered once so many run.
    """

    answers_at_once = False

    def __init__(self, root: Path, together: int = 1) -> None:
        super().__init__(root)
        self.most = 0
        self.threads: set[int] = set()
        self._together = together
        self._changed = threading.Condition()
        self._running = 0

    def look_up(
        self,
        action: Action,
        outputs: Iterable[OutputDescription] | None,
        wanted: Wanted,
        *,
        here: bool = False,
    ) -> ActionResult | None:
        if here:
            return None
        with self._changed:
            self.threads.add(threading.get_ident())
            self._running += 1
            self.most = max(self.most, self._running)
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self.most >= self._together, timeout=60)
        known = super().look_up(action, outputs, wanted)
        with self._changed:
            self._running -= 1
        return known


class Told(SilentObserver):
    """Remembers what it hears."""

    def __init__(self) -> None:
        self.starts: list[str] = []
        self.ends: list[str] = []
        self.notes: list[str] = []
        self.points: list[tuple[Row, int, int]] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def started(self, step: Step) -> None:
        self.starts.append(step.name)

    def ended(self, step: Step, ended: Any) -> None:
        self.ends.append(f"{step.name} {ended.report.status}")

    def point(self, row: Row, done: int, total: int) -> None:
        self.points.append((row, done, total))


class Plans:
    """Makes a plan: nodes by name, then points of them."""

    def __init__(self) -> None:
        self._nodes: list[Node] = []
        self._names: list[str] = []
        self._points: list[Point] = []

    def node(
        self,
        name: str,
        entry: str = "add",
        *after: str,
        n: int = 0,
        executor: str = "e",
        more: str | None = None,
        called: str | None = None,
        **options: Any,
    ) -> None:
        """`called` is the step's name, where nodes of several points share one."""
        inputs: dict[str, Any] = {}
        if after:
            inputs["model"] = FromStep(step=self._step(after[0]), output="model")
        if more is not None:
            inputs["more"] = FromStep(step=self._step(more), output="model")
        before = [*after[:1], *([more] if more is not None else [])]
        step = Step(
            index=7,  # of no meaning in a plan for all points
            name=called or name,
            executor=ExecutorRef(name=executor, version="1", digest="d"),
            entry=entry,
            parameters={"n": n} if n else {},
            inputs=inputs,
            outputs=(METRICS if entry == "collect" else MODEL,),
            **options,
        )
        self._nodes.append(Node(step=step, before={self._step(other): self._names.index(other) for other in before}))
        self._names.append(name)

    def _step(self, name: str) -> str:
        return self._nodes[self._names.index(name)].step.name

    def point(self, name: str, *nodes: str) -> None:
        places = tuple(self._names.index(node) for node in nodes)
        self._points.append(Point(name=name, settings={"build.salt": name}, nodes=places))

    def plan(self) -> SweepPlan:
        return SweepPlan(points=tuple(self._points), nodes=tuple(self._nodes))


class Run:
    """A plan carried out, and what became of it."""

    def __init__(
        self,
        plan: SweepPlan,
        folder: Path,
        *,
        jobs: int = 1,
        require: Sequence[str] = (),
        fresh: bool = False,
        lacking: Sequence[str] = (),
        stop_at: str | None = None,
        held: str | None = None,
        far: int = 0,
    ) -> None:
        """With `far` the store never answers at once, and first when so many are asked."""
        self.store = FarStore(folder / "store", far) if far else DiskStore(folder / "store")
        self.pool = Arithmetic(self.store, lacking, stop_at, held)
        self.told = Told()
        self.points: dict[str, FinishedPoint] = {}
        self.ran_before: dict[str, int] = {}  # a point -> how many steps had begun when it was told of
        nodes = NodeRun(
            plan,
            self.store,
            self.pool,
            self.told,
            limits={"jobs": jobs},
            fresh=fresh,
            entry_of=entry_of,
            require=tuple(require),
            on_point=self.heard,
        )
        self.whole = nodes.run()
        self.left = nodes.interrupted()

    def heard(self, point: FinishedPoint) -> Iterator[None]:
        yield
        assert point.point.name not in self.points
        self.points[point.point.name] = point
        self.ran_before[point.point.name] = len(self.pool.ran)

    @property
    def status(self) -> dict[str, str]:
        return {name: point.status for name, point in self.points.items()}

    def steps(self, point: str) -> dict[str, str]:
        return {item.step.name: item.ended.report.status for item in self.points[point].steps}


def with_salt(plan: SweepPlan, salts: dict[int, str]) -> SweepPlan:
    nodes = tuple(msgspec.structs.replace(node, salt=salts.get(at, node.salt)) for at, node in enumerate(plan.nodes))
    return msgspec.structs.replace(plan, nodes=nodes)
