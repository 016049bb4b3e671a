"""Outputs, compared with labels and with another stage's outputs."""

import numpy as np
import pytest
from bskernel_executors.quality.outputs import Outputs, compare_outputs, compute_accuracy, count_confusion
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

CLASSES = 6
SCORES = hnp.arrays(np.float32, st.tuples(st.integers(1, 30), st.just(CLASSES)), elements=st.floats(-8, 8, width=16))
RTOL, ATOL = 1e-4, 1e-6


def labels_for(values: np.ndarray, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, CLASSES, len(values))


@given(SCORES, st.integers(0, 9))
def test_a_confusion_matrix_counts_every_frame_once_and_its_diagonal_is_top_1(values: np.ndarray, seed: int) -> None:
    labels, ranking = labels_for(values, seed), Outputs(values).rank(1)
    matrix = np.array(count_confusion(ranking[:, 0], labels, CLASSES))
    assert matrix.shape == (CLASSES, CLASSES)
    assert matrix.sum() == len(values)
    assert (matrix.sum(axis=1) == np.bincount(labels, minlength=CLASSES)).all()
    assert compute_accuracy(ranking, labels) == pytest.approx(matrix.trace() / len(values))


@given(SCORES, st.integers(0, 9))
def test_more_guesses_are_never_worse_and_all_are_always_right(values: np.ndarray, seed: int) -> None:
    labels, outputs = labels_for(values, seed), Outputs(values)
    rates = [compute_accuracy(outputs.rank(k), labels) for k in range(1, CLASSES + 1)]
    assert rates == sorted(rates)
    assert rates[-1] == 1


@given(SCORES)
def test_the_first_of_a_ranking_is_numpy_s_argmax(values: np.ndarray) -> None:
    assert (Outputs(values).rank(3)[:, 0] == values.argmax(axis=1)).all()


@given(SCORES)
def test_a_stage_agrees_with_itself_and_with_its_own_top_index(values: np.ndarray) -> None:
    scores = Outputs(values)
    index = Outputs(scores.rank(1).astype(np.float32), ranks=True)
    assert not compare_outputs(scores, scores, 0, 0).frames.any()
    for pair in ((scores, index), (index, scores), (index, index)):
        found = compare_outputs(*pair, RTOL, ATOL)
        assert found.by == "predictions"
        assert found.largest == (0,)
        assert not found.frames.any()


def test_the_tolerance_is_relative_to_the_frame_s_largest_output() -> None:
    before = np.array([[1000.0, 0.0], [1.0, 0.0]])
    found = compare_outputs(Outputs(before + 0.05), Outputs(before), RTOL, ATOL)
    assert found.frames.tolist() == [False, True]
    assert found.largest[0] == pytest.approx(0.05)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_differs_from_every_number(wrong: float) -> None:
    before, now = np.ones((3, 4)), np.ones((3, 4))
    now[1, 2] = wrong
    found = compare_outputs(Outputs(now), Outputs(before), RTOL, ATOL)
    assert found.frames.tolist() == [False, True, False]
    assert np.isfinite(found.largest).all()
    assert not compare_outputs(Outputs(now), Outputs(now), RTOL, ATOL).frames.any()


def test_a_second_output_is_compared_but_no_label_s_choice() -> None:
    before = Outputs(np.array([[1.0, 2.0, 9.0]]), sizes=(2, 1))
    now = Outputs(np.array([[1.0, 2.0, 8.0]]), sizes=(2, 1))
    assert before.choices == 2
    assert before.rank(1).tolist() == [[1]]
    found = compare_outputs(now, before, RTOL, ATOL)
    assert found.frames.all()
    assert found.largest == (0, 1)


@pytest.mark.parametrize("at", range(4))
def test_a_small_output_is_not_measured_by_a_large_one(at: int) -> None:
    before = Outputs(np.array([[1000.0, 2000.0, 0.125, 0.25]]), sizes=(2, 2))
    now = before._replace(values=before.values.copy())
    now.values[0, at] *= 1.5
    assert compare_outputs(now, before, RTOL, ATOL).frames.all()


def test_every_output_has_a_choice_of_its_own() -> None:
    values = np.array([[1.0, 2.0, 9.0, 3.0, 4.0], [5.0, 2.0, 0.0, 7.0, 4.0]])
    assert Outputs(values, sizes=(2, 3)).choose().tolist() == [[1, 0], [0, 1]]


def test_the_same_values_in_other_outputs_are_no_comparison() -> None:
    values = np.zeros((2, 10))
    with pytest.raises(ValueError, match=r"4 \+ 6 and 6 \+ 4 values per frame"):
        compare_outputs(Outputs(values, sizes=(4, 6)), Outputs(values, sizes=(6, 4)), RTOL, ATOL)


def test_outputs_of_another_size_are_no_comparison() -> None:
    with pytest.raises(ValueError, match="10 and 9 values per frame"):
        compare_outputs(Outputs(np.zeros((2, 10))), Outputs(np.zeros((2, 9))), RTOL, ATOL)
    with pytest.raises(ValueError, match="2 frames and 3 frames"):
        compare_outputs(Outputs(np.zeros((2, 9))), Outputs(np.zeros((3, 9))), RTOL, ATOL)
