"""Stratified draws: fair to small classes, and each image by its own draw.

An image is drawn by a hash of the seed and of what identifies it (Geron, Hands-On Machine Learning,
2017, chapter 2). When images are added, removed or relabelled, the others stay in their parts, but
for the few that a part needs to have its size.
"""

import hashlib
from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
Seed = tuple[int, int]
"""The seed of the data set's splits, and which of them is drawn."""


def draws_of(identities: Iterable[str], seed: Seed) -> NDArray[np.uint64]:
    """``[n]``: the draw of each image, by what identifies it alone; others with another seed."""
    key = "{} {}".format(*seed).encode()
    hashes = (
        hashlib.blake2b(one.encode(errors="surrogatepass"), digest_size=8, key=key).digest()
        for one in identities
    )
    return np.frombuffer(b"".join(hashes), np.uint64)


def draw(
    labels: Indices,
    draws: NDArray[np.uint64],
    fraction: float,
    seed: Seed,
    least: int = 0,
    spare: int = 1,
) -> Indices:
    """Ascending places of ``round(fraction * n)`` of the labels ``[n]``, stratified.

    Within 1 of ``fraction`` of every class, but at least one place. Of a class those of the lowest
    draws are taken.

    Args:
        labels: which class each place is of.
        draws: ``[n]``, see :func:`draws_of`.
        fraction: how much to draw.
        seed: decides which classes get one place more where their share is no whole number.
        least: so many of a class are drawn, or all where it has fewer.
        spare: so many of a class are not drawn, whatever the fraction.
    """
    members, random = _members(labels, draws, seed)
    sizes = [len(places) for places in members]
    counts = _counts(sizes, Fraction(str(fraction)), spare, random.random())
    drawn = [places[: max(n, least)] for places, n in zip(members, counts, strict=True)]
    return np.sort(np.concatenate(drawn))


def deal(labels: Indices, draws: NDArray[np.uint64], folds: int, seed: Seed) -> Indices:
    """``[n]``, 0 to ``folds - 1``: the part of each of the labels ``[n]``, stratified.

    Parts differ by at most one place, overall and of each class. ``draws`` and ``seed`` as for
    :func:`draw`.
    """
    part = np.empty(len(labels), np.int64)
    first = 0  # part that gets one place more; the next class continues where this one ends
    for places in _members(labels, draws, seed)[0]:
        whole, more = divmod(len(places), folds)
        sizes = whole + ((np.arange(folds) - first) % folds < more)
        part[places] = np.repeat(np.arange(folds), sizes)
        first += more
    return part


def _members(
    labels: Indices, draws: NDArray[np.uint64], seed: Seed
) -> tuple[list[Indices], np.random.Generator]:
    """Places of each class, ascending by draw; the classes in an order by ``seed``."""
    random = np.random.default_rng(seed)
    ranked = np.argsort(draws, kind="stable")
    ranked = ranked[np.argsort(labels[ranked], kind="stable")]
    starts = np.flatnonzero(np.diff(labels[ranked])) + 1
    classes = np.split(ranked, starts)
    return [classes[place] for place in random.permutation(len(classes))], random


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
