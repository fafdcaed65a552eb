"""Which of two classifiers is better beyond chance."""

import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from sweeper.statistics.comparison import LEVEL, Comparison, Scores

counts = st.integers(0, 200)


def scores(right: list[bool], loss: float = 0.5) -> Scores:
    return Scores(np.array(right, np.bool_), np.full(len(right), loss))


def comparison(gained: int, lost: int, both: int = 50, neither: int = 5) -> Comparison:
    challenger = [True] * (gained + both) + [False] * (lost + neither)
    champion = [False] * gained + [True] * (both + lost) + [False] * neither
    return Comparison(scores(challenger), scores(champion))


@given(counts, counts)
def test_p_is_the_share_of_coin_tosses_that_are_as_good(gained: int, lost: int) -> None:
    total = gained + lost
    heads = sum(math.comb(total, k) for k in range(gained, total + 1))
    assert comparison(gained, lost).p_value == pytest.approx(heads / 2**total)


@given(counts, counts, st.integers(1, 500))
def test_the_interval_holds_the_difference(gained: int, lost: int, both: int) -> None:
    found = comparison(gained, lost, both)
    value, low, high = astuple(found.accuracy)
    means = [one.right.mean() for one in (found.challenger, found.champion)]
    assert value == pytest.approx(means[0] - means[1])
    assert -1 <= low < high <= 1
    assert low - 0.02 <= value <= high + 0.02  # it is drawn a little to 0
    swapped = comparison(lost, gained, both)
    assert astuple(swapped.accuracy) == pytest.approx((-value, -high, -low))


@pytest.mark.parametrize(
    ("gained", "lost", "wins"),
    [(0, 0, False), (5, 0, False), (6, 0, True), (0, 9, False), (13, 6, False), (20, 7, True)],
)
def test_few_images_that_differ_are_chance(gained: int, lost: int, wins: bool) -> None:
    found = comparison(gained, lost)
    assert found.wins is wins
    assert found.wins == (found.p_value < LEVEL)


@pytest.mark.parametrize(("gained", "lost", "wins"), [(3, 3, True), (4, 3, True), (3, 4, False)])
def test_surer_counts_where_no_accuracy_is_lost(gained: int, lost: int, wins: bool) -> None:
    found = comparison(gained, lost)
    rng = np.random.default_rng(0)
    losses = found.champion.losses - 0.1 + rng.normal(0, 0.01, found.images)
    surer = Comparison(Scores(found.challenger.right, losses), found.champion)
    assert surer.wins is wins
    assert not found.wins
    assert "log loss -0.09" in surer.spelled()


def test_equal_classifiers_seldom_beat_each_other() -> None:
    """Of 1,000 pairs that are equally good, at most one in twenty is called better."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, (1000, 300))
    won = 0
    for labels in truth:
        one, other = (softmax(rng.normal(2 * np.eye(3)[labels], 1), axis=1) for _ in range(2))
        won += Comparison(Scores.of(one, labels), Scores.of(other, labels)).wins
    assert won / 1000 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 1000)
