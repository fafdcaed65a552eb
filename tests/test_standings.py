"""Which trials cannot be told apart from the best one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from sweeper.statistics.bootstrap import of_means
from sweeper.statistics.standings import Place, Standings

IMAGES = 200


def logits_of(right: NDArray[np.bool_], truth: NDArray[np.int64]) -> NDArray[np.float16]:
    """Of three classes: sure of the true class where ``right``, else of another."""
    shown = np.where(right, truth, (truth + 1) % 3)
    return (4 * np.eye(3)[shown]).astype(np.float16)


def standings(objective: str, *rights: NDArray[np.bool_]) -> Standings:
    """Trial ``k`` classifies the images of ``rights[k]`` correctly."""
    found = Standings(objective)
    for number, right in enumerate(rights):
        truth = np.arange(len(right)) % 3
        ids = np.array([f"{image}.png" for image in range(len(right))])
        found.add(number, ids, truth, logits_of(right, truth))
    return found


def hits(count: int, images: int = IMAGES, start: int = 0) -> NDArray[np.bool_]:
    return np.roll(np.arange(images) < count, start)


@pytest.mark.parametrize("objective", ["val_accuracy", "val_loss"])
def test_one_image_more_is_a_tie_and_forty_are_not(objective: str) -> None:
    found = standings(objective, hits(180), hits(179), hits(140)).beside(0)
    assert [found[number].place for number in range(3)] == [Place.BEST, Place.TIED, Place.BEHIND]
    assert found[0].behind is None
    behind = found[2].behind
    assert behind is not None
    assert behind.low is not None
    assert behind.high is not None
    assert 0 < behind.low < behind.value < behind.high


def test_pairs_tell_apart_what_intervals_alone_do_not() -> None:
    """12 images of 200, all of them lost: each interval alone overlaps the other."""
    found = standings("val_accuracy", hits(180), hits(168)).beside(0)
    low, high = found[0].figure.low, found[1].figure.high
    assert low is not None
    assert high is not None
    assert low < high
    assert found[1].place is Place.BEHIND


def test_the_same_difference_of_other_images_is_a_tie() -> None:
    found = standings("val_accuracy", hits(180), hits(168, start=90)).beside(0)
    assert found[1].place is Place.TIED


def test_an_interval_is_wilsons() -> None:
    figure = standings("val_accuracy", hits(60, 80)).beside(0)[0].figure
    expected = stats.binomtest(60, 80).proportion_ci(method="wilson")
    assert figure.value == 0.75
    assert figure.low == pytest.approx(expected.low)
    assert figure.high == pytest.approx(expected.high)


def test_other_images_are_not_compared() -> None:
    found = standings("val_accuracy", hits(100))
    truth = np.zeros(IMAGES, np.int64)
    found.add(1, np.array(["x"] * IMAGES), truth, logits_of(hits(90), truth))
    beside = found.beside(0)
    assert beside[1].place is None
    assert beside[1].behind is None
    assert beside[1].figure.value == 0.45
    assert beside[0].place is Place.BEST


def test_other_labels_are_other_images() -> None:
    found = standings("val_accuracy", hits(100))
    ids = np.array([f"{image}.png" for image in range(IMAGES)])
    truth = (np.arange(IMAGES) + 1) % 3
    found.add(1, ids, truth, logits_of(hits(90), truth))
    assert found.beside(0)[1].place is None


def test_a_best_trial_without_predictions_leaves_intervals_alone() -> None:
    found = standings("val_accuracy", hits(100), hits(90)).beside(7)
    assert {one.place for one in found.values()} == {None}


def test_what_is_no_matter_of_single_images_has_no_standings() -> None:
    found = standings("flops", hits(100))
    assert not found.useful
    assert not found.beside(0)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_the_bootstrap_holds_the_mean_and_is_the_same_each_time(
    images: int, rows: int, seed: int
) -> None:
    values = np.random.default_rng(seed).integers(-1, 2, (rows, images)).astype(np.float32)
    ends = of_means(values)
    assert ends.shape == (rows, 2)
    means = values.mean(axis=1)
    assert (ends[:, 0] <= means + 1e-6).all()
    assert (ends[:, 1] >= means - 1e-6).all()
    np.testing.assert_array_equal(ends, of_means(values))


def test_the_bootstrap_is_scipys() -> None:
    values = np.random.default_rng(3).normal(0.2, 1, (2, 300)).astype(np.float32)
    for row, ends in zip(values, of_means(values), strict=True):
        expected = stats.bootstrap((row,), np.mean, method="percentile", rng=1).confidence_interval
        np.testing.assert_allclose(ends, expected, atol=0.02)


def test_few_equal_trials_are_called_worse() -> None:
    """Of pairs of equal classifiers the better one is called better in few of a hundred."""
    random = np.random.default_rng(0)
    wrong = 0
    for _ in range(200):
        first, second = random.random((2, IMAGES)) < 0.8
        best, other = sorted([first, second], key=lambda right: -right.sum())
        wrong += standings("val_accuracy", best, other).beside(0)[1].place is Place.BEHIND
    assert wrong <= 20  # 5 of 100 are expected, of both directions together
