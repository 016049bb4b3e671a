"""Points carried out as one: what runs, what does not, and what becomes of each point."""

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from bskernel.core.errors import ConfigError
from bskernel.sweeps.analysis.constraints import check_conditions, judged
from bskernel.sweeps.execution.finished_point import FinishedPoint
from bskernel.sweeps.planning.graph import with_points
from hypothesis import given, settings
from hypothesis import strategies as st
from support.arithmetic_pool import FarStore, Plans, Run, with_salt


def shared_and_two_last() -> Plans:
    """Four points that share all but their last two steps."""
    plans = Plans()
    plans.node("a", n=1)
    plans.node("b", "add", "a", n=2)
    for at in range(4):
        plans.node(f"c{at}", "add", "b", n=10 + at, called="c")
        plans.node(f"m{at}", "collect", f"c{at}", called="metrics")
        plans.point(f"p{at}", "a", "b", f"c{at}", f"m{at}")
    return plans


@pytest.mark.parametrize("jobs", [1, 3])
def test_points_that_share_all_steps_but_two_run_exactly_the_distinct_actions(tmp_path: Path, jobs: int) -> None:
    run = Run(shared_and_two_last().plan(), tmp_path, jobs=jobs)
    assert run.status == {f"p{at}": "ok" for at in range(4)}
    assert len(run.pool.ran) == len(run.pool.keys) == 2 + 2 * 4
    assert run.points["p2"].metrics == {"LUT": [{"value": 15, "unit": "count", "stage": "estimate", "source": "t"}]}
    assert max(run.pool.together) <= jobs
    again = Run(shared_and_two_last().plan(), tmp_path, jobs=jobs)
    assert again.pool.ran == []
    assert again.told.ends.count("a recalled") == 1


def test_a_store_that_is_far_is_asked_about_many_steps_at_once_whatever_the_limit_on_jobs(tmp_path: Path) -> None:
    plans = Plans()
    for at in range(20):
        plans.node(f"n{at}", n=at)
        plans.point(f"p{at}", f"n{at}")
    assert len(Run(plans.plan(), tmp_path).pool.ran) == 20
    run = Run(plans.plan(), tmp_path, jobs=1, far=8)
    assert isinstance(run.store, FarStore)
    assert run.store.most == 8
    assert threading.get_ident() not in run.store.threads
    assert run.pool.ran == []
    assert sorted(run.told.ends) == sorted(f"n{at} recalled" for at in range(20))
    assert run.status == {f"p{at}": "ok" for at in range(20)}


@pytest.mark.parametrize("jobs", [1, 3])
def test_what_a_far_store_does_not_know_runs_within_the_limit_and_in_the_plan_s_order(
    tmp_path: Path, jobs: int
) -> None:
    run = Run(shared_and_two_last().plan(), tmp_path, jobs=jobs, far=1)
    assert run.status == {f"p{at}": "ok" for at in range(4)}
    assert sorted(run.pool.keys.values()) == [1] * (2 + 2 * 4)
    assert run.pool.ran[:2] == ["a", "b"]


def test_a_step_that_is_asked_about_while_its_points_are_given_up_does_not_run(tmp_path: Path) -> None:
    plans = Plans()
    plans.node("check", "fail")
    plans.node("before", n=1)
    plans.node("costly", "add", "before", n=1)
    plans.node("shared", n=2)
    plans.point("p", "check", "before", "costly", "shared")
    plans.point("q", "before", "shared")
    run = Run(plans.plan(), tmp_path, far=1, jobs=9)
    assert run.status == {"p": "failed", "q": "ok"}
    assert run.steps("p")["check"] == "failed"
    assert run.steps("q") == {"before": "ran", "shared": "ran"}


def test_equal_actions_that_a_far_store_does_not_know_run_once(tmp_path: Path) -> None:
    plans = Plans()
    for name in "abcd":
        plans.node(name, n=5)
        plans.point(name, name)
    run = Run(plans.plan(), tmp_path, far=1, jobs=9)
    assert list(run.pool.keys.values()) == [1]
    assert sorted(run.told.ends) == ["a ran", "b recalled", "c recalled", "d recalled"]
    assert sorted(run.told.starts) == list("abcd")


@pytest.mark.parametrize("jobs", [1, 3])
def test_no_step_waits_until_a_point_is_told_of(tmp_path: Path, jobs: int) -> None:
    # This crew has ended a step as soon as it began: there is always one to hear of.
    run = Run(shared_and_two_last().plan(), tmp_path, jobs=jobs)
    assert run.ran_before == {f"p{at}": 10 for at in range(4)}


def test_a_step_that_ends_while_a_point_is_told_of_in_parts_is_followed_before_the_next_part(tmp_path: Path) -> None:
    plans = Plans()
    plans.node("a", n=1)
    plans.node("b", n=2)
    plans.node("c", "add", "b", n=3)
    plans.point("p", "a")
    plans.point("q", "b", "c")
    ran: list[list[str]] = []

    class Slow(Run):
        def heard(self, point: FinishedPoint) -> Iterator[None]:
            ran.append([*self.pool.ran])
            self.pool.release()
            yield
            ran.append([*self.pool.ran])
            yield from super().heard(point)

    run = Slow(plans.plan(), tmp_path, jobs=2, held="b")
    assert ran[:2] == [["a", "b"], ["a", "b", "c"]]
    assert run.status == {"p": "ok", "q": "ok"}


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("jobs", [1, 2])
def test_what_turns_out_to_be_the_same_action_runs_once(tmp_path: Path, jobs: int, fresh: bool) -> None:
    plans = Plans()
    plans.node("a", n=5)
    plans.node("b", n=6)
    plans.node("zero_a", "add", "a", n=-5)
    plans.node("zero_b", "add", "b", n=-6)
    plans.node("c", "add", "zero_a", n=3)
    plans.node("d", "add", "zero_b", n=3)
    plans.point("p", "a", "zero_a", "c")
    plans.point("q", "b", "zero_b", "d")
    run = Run(plans.plan(), tmp_path, jobs=jobs, fresh=fresh)
    assert len(run.pool.ran) == 5
    assert set(run.pool.keys.values()) == {1}
    assert sorted(run.steps("q").values()) == ["ran", "ran", "recalled"]


def test_a_fresh_sweep_runs_each_action_again_and_once(tmp_path: Path) -> None:
    Run(shared_and_two_last().plan(), tmp_path)
    run = Run(shared_and_two_last().plan(), tmp_path, fresh=True)
    assert sorted(run.pool.keys.values()) == [1] * 10


def test_builds_of_another_salt_share_no_action(tmp_path: Path) -> None:
    plans = Plans()
    plans.node("a", n=1)
    plans.node("b", n=1)
    plans.point("p", "a")
    plans.point("q", "b")
    assert len(Run(plans.plan(), tmp_path / "1").pool.ran) == 1
    assert len(Run(with_salt(plans.plan(), {1: "anew"}), tmp_path / "2").pool.ran) == 2


def failing() -> Plans:
    plans = Plans()
    plans.node("a", n=1)
    plans.node("bad", "fail", "a", called="b")
    plans.node("good", "add", "a", n=2, called="b")
    plans.node("bad_c", "add", "bad", called="c")
    plans.node("good_c", "add", "good", called="c")
    plans.point("p", "a", "bad", "bad_c")
    plans.point("q", "a", "good", "good_c")
    return plans


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_failure_is_that_of_its_points_alone(tmp_path: Path, jobs: int) -> None:
    run = Run(failing().plan(), tmp_path, jobs=jobs)
    assert run.status == {"p": "failed", "q": "ok"}
    assert run.points["p"].reason == "step b: kernel: told to fail"
    assert run.steps("p") == {"a": "ran", "b": "failed", "c": "skipped"}
    assert run.steps("q") == {"a": "ran", "b": "ran", "c": "ran"}
    failed = run.points["p"].steps[1]
    assert (failed.step.label, failed.ended.log) == ("01-b", b"it failed")


def test_an_action_that_failed_is_not_tried_again_by_another_point(tmp_path: Path) -> None:
    plans = Plans()
    plans.node("a", "fail")
    plans.node("b", "fail")
    plans.node("patient", "fail", timeout_s=99.0)
    for name, node in (("p", "a"), ("q", "b"), ("r", "patient")):
        plans.point(name, node)
    run = Run(plans.plan(), tmp_path)
    # A limit is in no key: with more time it may end well.
    assert run.pool.ran == ["a", "patient"]
    assert set(run.status.values()) == {"failed"}


def test_of_a_point_that_failed_no_step_begins_that_no_other_needs(tmp_path: Path) -> None:
    plans = Plans()
    plans.node("check", "fail")
    plans.node("costly", n=1)
    plans.node("shared", n=2)
    plans.point("p", "check", "costly", "shared")
    plans.point("q", "shared")
    run = Run(plans.plan(), tmp_path)
    assert run.pool.ran == ["check", "shared"]
    assert run.steps("p") == {"check": "failed", "costly": "skipped", "shared": "ran"}
    assert run.status == {"p": "failed", "q": "ok"}


@pytest.mark.parametrize("jobs", [1, 3])
def test_metrics_of_a_failed_point_are_collected_of_what_there_is(tmp_path: Path, jobs: int) -> None:
    plans = Plans()
    plans.node("a", n=1)
    plans.node("early", "add", "a", n=2)
    plans.node("bad", "fail", "early")
    plans.node("m", "collect", "a", more="bad", called="metrics")
    plans.node("other", "add", "early", n=40)
    plans.node("n", "collect", "a", more="other", called="metrics")
    plans.point("p", "a", "early", "bad", "m")
    plans.point("q", "a", "early", "other", "n")
    run = Run(plans.plan(), tmp_path, jobs=jobs)
    assert run.status == {"p": "failed", "q": "ok"}
    collected = run.points["p"].steps[3].ended.report
    assert collected.status == "ran"
    assert collected.partial == ("more is that of early: bad did not produce it",)
    assert [item.value for item in run.points["p"].quantities] == [1 + 3]
    assert [item.value for item in run.points["q"].quantities] == [1 + 43]


def requiring() -> Plans:
    """Points p and q whose early numbers are 3 and 30; what follows is costly, and partly shared."""
    plans = Plans()
    plans.node("a", n=1)
    for name, n in (("p", 2), ("q", 29)):
        plans.node(f"est_{name}", "add", "a", n=n, called="est")
        plans.node(f"early_{name}", "collect", f"est_{name}", called="early_metrics")
    plans.node("both", "add", "a", n=100)
    for name in "pq":
        plans.node(f"costly_{name}", "add", f"est_{name}", n=1000, called="costly")
        plans.node(f"late_{name}", "collect", f"costly_{name}", more="both", called="metrics")
        plans.point(name, "a", f"est_{name}", f"early_{name}", "both", f"costly_{name}", f"late_{name}")
    return plans


@pytest.mark.parametrize("jobs", [1, 2, 9])
def test_a_point_that_breaks_a_requirement_stops_before_its_costly_steps_and_leaves_shared_ones(
    tmp_path: Path, jobs: int
) -> None:
    run = Run(requiring().plan(), tmp_path, jobs=jobs, require=["LUT < 20 or LUT > 999"])
    assert run.status == {"p": "ok", "q": "stopped"}
    assert "costly_q" not in run.pool.ran
    assert run.pool.ran.count("costly") == 1
    assert run.steps("q") == {
        "a": "ran", "est": "ran", "early_metrics": "ran", "both": "ran", "costly": "skipped", "metrics": "skipped"
    }  # fmt: skip
    assert run.points["q"].reason == "LUT < 20 or LUT > 999 does not hold: LUT@estimate is 30"
    assert [item.value for item in run.points["q"].quantities] == [30]
    assert [item.value for item in run.points["p"].quantities] == [1003 + 101]


@pytest.mark.parametrize("jobs", [1, 2, 9])
def test_what_all_points_that_need_it_have_given_up_does_not_begin(tmp_path: Path, jobs: int) -> None:
    run = Run(requiring().plan(), tmp_path, jobs=jobs, require=["LUT < 2"])
    assert run.status == {"p": "stopped", "q": "stopped"}
    assert sorted(run.pool.ran) == ["a", "early_metrics", "early_metrics", "est", "est"]


@pytest.mark.parametrize("jobs", [1, 2, 9])
def test_a_requirement_is_judged_again_by_later_numbers(tmp_path: Path, jobs: int) -> None:
    run = Run(requiring().plan(), tmp_path, jobs=jobs, require=["LUT < 1120"])
    assert run.status == {"p": "ok", "q": "stopped"}
    assert run.steps("q")["metrics"] == "ran"


def test_a_requirement_that_cannot_be_judged_is_told_and_stops_nothing(tmp_path: Path) -> None:
    run = Run(requiring().plan(), tmp_path, require=["slack@routed > 0", "LUT < 2000"])
    assert run.status == {"p": "ok", "q": "ok"}
    assert run.points["p"].reason == "slack@routed > 0 cannot be judged: no step has a quantity 'slack'"


def test_a_requirement_of_builds_without_numbers_is_told(tmp_path: Path) -> None:
    run = Run(failing().plan(), tmp_path, require=["LUT < 1"])
    assert run.status == {"p": "failed", "q": "ok"}
    assert run.points["q"].reason == "LUT < 1 cannot be judged: no step has a quantity 'LUT'"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("LUT", "a comparison is needed"),
        ("LUT < ", "expected a number"),
        ("LUT < base", "one build alone has no base"),
        ("LUT < 2 * base.LUT", "column 11: one build alone has no base"),
    ],
)
def test_what_is_no_requirement_is_refused(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=r"sweep\.require") as error:
        check_conditions([text], "sweep.require")
    assert told in str(error.value)


def test_a_requirement_that_divides_by_nothing_cannot_be_judged() -> None:
    verdict = judged(["1 / 0 < 1"], ())
    assert (verdict.status, verdict.reason) == ("missing", "1 / 0 < 1 cannot be judged: 0 is 0, and is divided by")


def test_what_fails_beside_others_runs_again_alone(tmp_path: Path) -> None:
    plans = Plans()
    plans.node("a", "slip", n=4)
    plans.node("b", n=5)
    plans.point("p", "a")
    plans.point("q", "b")
    run = Run(plans.plan(), tmp_path, jobs=2)
    assert run.pool.ran == ["a", "b", "a"]
    assert run.status == {"q": "ok", "p": "ok"}
    assert run.told.notes == ["step a failed while other steps were running; retrying it alone"]


def test_points_whose_executor_is_lacking_fail_and_it_is_asked_for_once(tmp_path: Path) -> None:
    plans = Plans()
    plans.node("a", n=1)
    for at in range(3):
        plans.node(f"old{at}", "add", "a", n=at, executor="old", called="b")
        plans.node(f"new{at}", "add", "a", n=at + 50, executor="new", called="b")
        plans.point(f"old{at}", "a", f"old{at}")
        plans.point(f"new{at}", "a", f"new{at}")
    run = Run(plans.plan(), tmp_path, lacking=["old"])
    assert run.status == {name: "failed" if name.startswith("old") else "ok" for name in run.points}
    assert len(run.points) == 6
    assert run.pool.prepared.count("old") == 1
    assert run.points["old1"].reason == "step b: environment: there is no old here"


def test_after_an_interrupt_points_that_are_over_stay_and_only_the_rest_runs_again(tmp_path: Path) -> None:
    plans = shared_and_two_last()
    plans.node("last", n=77)
    plans.point("p4", "last")
    run = Run(plans.plan(), tmp_path, stop_at="last")
    assert not run.whole
    assert run.pool.interrupted
    assert set(run.points) == {"p0", "p1", "p2", "p3"}
    assert [(point.point.name, point.status) for point in run.left] == [("p4", "interrupted")]
    again = Run(plans.plan(), tmp_path)
    assert again.whole
    assert again.pool.ran == ["last"]
    assert set(again.status.values()) == {"ok"}


def test_some_points_of_a_plan_are_a_plan(tmp_path: Path) -> None:
    plan = shared_and_two_last().plan()
    some = with_points(plan, plan.points[2:])
    run = Run(some, tmp_path)
    assert run.status == {"p2": "ok", "p3": "ok"}
    assert len(run.pool.ran) == len(some.nodes) == 6


@st.composite
def sweeps(draw: st.DrawFn) -> Plans:
    """Trees of steps; each point is a path from a root with numbers at its end, and at times also in its middle."""
    plans = Plans()
    parents: list[int | None] = []
    for at in range(draw(st.integers(1, 10))):
        parent = draw(st.one_of(st.none(), st.integers(0, at - 1))) if at else None
        entry = draw(st.sampled_from(["add", "add", "add", "fail"]))
        after = [] if parent is None else [str(parent)]
        plans.node(str(at), entry, *after, n=draw(st.integers(1, 3)))
        parents.append(parent)
    early = draw(st.sets(st.integers(0, len(parents) - 1)))
    for at in sorted(early):
        plans.node(f"early{at}", "collect", str(at))
    for at in range(draw(st.integers(1, 6))):
        node: int | None = draw(st.integers(0, len(parents) - 1))
        path: list[str] = []
        while node is not None:
            path[:0] = [str(node), *([f"early{node}"] if node in early else [])]
            node = parents[node]
        plans.node(f"m{at}", "collect", [name for name in path if name.isdigit()][-1])
        plans.point(f"p{at}", *path, f"m{at}")
    return plans


@settings(max_examples=200, deadline=None)
@given(
    sweeps(),
    st.integers(1, 3),
    st.sampled_from([(), ("LUT < 4",)]),
    st.sampled_from([0, 0, 1]),
    st.randoms(use_true_random=False),
)
def test_whatever_fails_every_point_comes_to_what_it_comes_to_alone(
    tmp_path_factory: pytest.TempPathFactory,
    plans: Plans,
    jobs: int,
    require: tuple[str, ...],
    far: int,
    chance: random.Random,
) -> None:
    plan = plans.plan()
    run = Run(plan, tmp_path_factory.mktemp("sweep"), jobs=jobs, require=require, far=far)
    assert set(run.pool.keys.values()) <= {1}
    chosen = chance.choice(plan.points)
    alone = Run(with_points(plan, (chosen,)), tmp_path_factory.mktemp("alone"), require=require)
    assert set(run.points) == {point.name for point in plan.points}
    mine, its = run.points[chosen.name], alone.points[chosen.name]
    assert (mine.status, mine.reason) == (its.status, its.reason)
    for name, status in alone.steps(chosen.name).items():
        here = run.steps(chosen.name)[name]
        # What a point gave up, others may need.
        assert here.replace("recalled", "ran") == status.replace("recalled", "ran") or status == "skipped"
