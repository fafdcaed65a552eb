"""What is chosen from predictions: a temperature, the members of an ensemble, the halves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import softmax

from sweeper.improve.ensemble import select
from sweeper.improve.made import gain
from sweeper.improve.members import halves
from sweeper.improve.temperature import temperature

Array = NDArray[np.float64]


def drawn(seed: int, images: int = 4000, classes: int = 4) -> tuple[Array, NDArray[np.int64]]:
    """Logits, and labels that are drawn by exactly their probabilities."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (images, classes))
    labels = (softmax(logits, axis=1).cumsum(axis=1) < rng.random((images, 1))).sum(axis=1)
    return logits, np.minimum(labels, classes - 1)


def log_loss(probabilities: Array, labels: NDArray[np.int64]) -> float:
    return float(-np.log(probabilities[np.arange(len(labels)), labels]).mean())


@given(st.floats(0.2, 5.0), st.integers(0, 9))
def test_the_temperature_undoes_what_logits_were_multiplied_by(factor: float, seed: int) -> None:
    logits, labels = drawn(seed)
    found = temperature((logits * factor).astype(np.float16), labels)
    assert found == pytest.approx(factor, rel=0.15)


def test_logits_in_half_precision_at_their_limit_have_a_temperature() -> None:
    logits = np.full((4, 2), np.finfo(np.float16).max, np.float16)
    logits[:, 1] = np.finfo(np.float16).min
    assert np.isfinite(temperature(logits, np.array([0, 1, 0, 0])))


@given(st.lists(st.integers(0, 5), min_size=2, max_size=300))
def test_each_class_is_in_both_halves(labels: list[int]) -> None:
    array = np.array(labels)
    found = halves(array)
    assert (found.choose ^ found.judge).all()
    assert abs(int(found.choose.sum()) - int(found.judge.sum())) <= 1
    for label in set(labels):
        parts = (found.choose & (array == label)).sum(), (found.judge & (array == label)).sum()
        assert abs(int(parts[0]) - int(parts[1])) <= 1
    again = halves(array)
    np.testing.assert_array_equal(found.choose, again.choose)


@given(st.integers(0, 50), st.integers(1, 6))
def test_an_ensemble_is_no_worse_than_its_best_member_where_it_was_chosen(
    seed: int, members: int
) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, 60)
    parts = [softmax(rng.normal(np.eye(3)[labels] * 2, 1.5), axis=1) for _ in range(members)]
    counts = select(parts, labels)
    mean = np.average(
        [parts[number] for number in counts], axis=0, weights=[counts[n] for n in counts]
    )
    assert log_loss(mean, labels) <= min(log_loss(one, labels) for one in parts) + 1e-9


def test_members_whose_errors_differ_are_taken_together() -> None:
    labels = np.array([0, 0, 1, 1])
    left, right = np.full((4, 2), 0.5), np.full((4, 2), 0.5)
    left[:2], right[2:] = (0.99, 0.01), (0.01, 0.99)
    useless = np.full((4, 2), 0.5)
    assert set(select([left, right, useless], labels)) == {0, 1}


def test_what_is_equal_does_not_help_and_what_is_better_does() -> None:
    logits, labels = drawn(0)
    sure = softmax(3 * logits, axis=1).astype(np.float32)
    right = softmax(logits, axis=1).astype(np.float32)
    assert not gain(sure, sure, labels).comparison.wins
    better = gain(sure, right, labels)
    assert better.comparison.wins
    assert better.comparison.log_loss.value == pytest.approx(
        log_loss(right, labels) - log_loss(sure, labels), abs=1e-4
    )
    assert better.comparison.gained == better.comparison.lost == 0
    assert better.after["expected_calibration_error"].value < 0.05
    assert not gain(right, sure, labels).comparison.wins
