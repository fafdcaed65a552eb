"""Stratified draws: the same for the same seed, and fair to small classes."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


def draw(
    labels: Indices, fraction: float, seed: tuple[int, int], least: int = 0, spare: int = 1
) -> Indices:
    """Ascending places of ``round(fraction * n)`` of the labels ``[n]``, stratified.

    Within 1 of ``fraction`` of every class, but at least one place.

    Args:
        labels: which class each place is of.
        fraction: how much to draw.
        seed: of the data set's splits, and which of them this is.
        least: so many of a class are drawn, or all where it has fewer.
        spare: so many of a class are not drawn, whatever the fraction.
    """
    draws = np.random.default_rng(seed)
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    members = [members[place] for place in draws.permutation(len(members))]
    sizes = [len(places) for places in members]
    counts = _counts(sizes, Fraction(str(fraction)), spare, draws.random())
    drawn = [
        draws.permutation(places)[: max(n, least)]
        for places, n in zip(members, counts, strict=True)
    ]
    return np.sort(np.concatenate(drawn))


def _counts(sizes: list[int], fraction: Fraction, spare: int, draw: float) -> list[int]:
    """How many to take from each class: its quota, rounded so that the sum is rounded as well.

    Systematic sampling (Madow, 1949): one random offset, added to the running sum of the quotas,
    decides all roundings, so small classes get their turn in proportion. Exact fractions, because
    a float error at a whole number would take one too many.
    """
    quotas = [min(fraction * size, Fraction(size - spare)) for size in sizes]
    total = sum(quotas, Fraction(0))
    wanted = max(1, round(total))
    low, high = max(Fraction(0), wanted - total), min(Fraction(1), wanted + 1 - total)
    bound = low + (high - low) * Fraction(draw)
    sums = [bound]
    for quota in quotas:
        sums.append(sums[-1] + quota)
    return [int(after) - int(before) for before, after in pairwise(sums)]
