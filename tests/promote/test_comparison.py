"""Which of two classifiers is better beyond chance."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.promote.comparison import LEVEL, Comparison, compare

counts = st.integers(0, 200)


def comparison(gained: int, lost: int, both: int = 50, neither: int = 5) -> Comparison:
    challenger = [True] * (gained + both) + [False] * (lost + neither)
    champion = [False] * gained + [True] * (both + lost) + [False] * neither
    return compare(np.array(challenger, np.bool_), np.array(champion, np.bool_))


@given(counts, counts)
def test_p_is_the_share_of_coin_tosses_that_are_as_good(gained: int, lost: int) -> None:
    total = gained + lost
    heads = sum(math.comb(total, k) for k in range(gained, total + 1))
    assert comparison(gained, lost).p_value == pytest.approx(heads / 2**total)


@given(counts, counts, st.integers(1, 500))
def test_the_interval_holds_the_difference(gained: int, lost: int, both: int) -> None:
    found = comparison(gained, lost, both)
    value, low, high = found.difference
    assert value == pytest.approx((found.challenger - found.champion) / found.images)
    assert -1 <= low < high <= 1
    assert low - 0.02 <= value <= high + 0.02  # it is drawn a little to 0
    swapped = found.turned.difference
    assert swapped == pytest.approx((-value, -high, -low))


@pytest.mark.parametrize(
    ("gained", "lost", "wins"),
    [(0, 0, False), (4, 0, False), (5, 0, True), (0, 9, False), (13, 7, False), (20, 8, True)],
)
def test_few_images_that_differ_are_chance(gained: int, lost: int, wins: bool) -> None:
    found = comparison(gained, lost)
    assert found.wins is wins
    assert found.wins == (found.p_value < LEVEL)
    assert not found.turned.wins or lost > gained


def test_equal_classifiers_never_beat_each_other() -> None:
    """Of 1,000 pairs that are equally good, at most one in twenty is called better."""
    rng = np.random.default_rng(0)
    won = 0
    for _ in range(1000):
        one, other = rng.random((2, 300)) < 0.8
        won += compare(one, other).wins
    assert won / 1000 <= LEVEL + 3 * math.sqrt(LEVEL * (1 - LEVEL) / 1000)
