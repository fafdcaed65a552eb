"""Images that are in the data set more than once: the same bytes, the same pixels, or nearly."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sweeper.data_doctor.neighbours import Nearest, nearest
from sweeper.data_doctor.picture_match import correlations, part_correlations
from sweeper.data_doctor.pixel_marks import PixelMarks

COMPARE = "looking for near-duplicates: images compared by their features"
CROPS = "looking for cropped copies: each pair of near images counts as one image"

BYTES, PIXELS, NEAR, CROP = "same bytes", "same pixels", "near", "cropped"
KINDS = (BYTES, PIXELS, NEAR, CROP)

NEIGHBOURS = 10
"""Nearest images by features whose pixels are compared."""
_OF_CROPS = 3
_LEAST_COSINE, _LEAST_COSINE_OF_CROPS = 0.5, 0.6
NEAR_FLOOR, CROP_FLOOR, CEILING = 0.85, 0.80, 0.97
"""Least correlation of details of a near-duplicate, of a cropped one; and the most that is asked.

Unrelated photographs reach 0.6 and 0.77; copies by JPEG of quality 70 or resized by 0.7 have a
median of 0.99 (experiments/data_doctor).
"""
_DEVIATIONS = 3.7
"""By how many standard deviations a copy differs from neighbours that are none: 1 in 10,000."""
_ENOUGH = 20
"""Pairs from which such a deviation can be estimated."""


@dataclass(frozen=True)
class Pair:
    """Two images that are one.

    Attributes:
        first: number of an image.
        second: number of another one.
        kind: one of :data:`KINDS`.
        cosine: of their features; 1 for the same pixels.
        correlation: of the details of their pixels.
    """

    first: int
    second: int
    kind: str
    cosine: float = 1.0
    correlation: float = 1.0


@dataclass(frozen=True, eq=False)
class Copies:
    """What was found.

    Attributes:
        pairs: in a group of the same image each further member with the first one.
        groups: ``[n]``, the group of each image; images without a copy have one of their own.
        near_from: correlation of details from which images counted as near-duplicates.
        crop_from: the same of cropped ones.
    """

    pairs: tuple[Pair, ...]
    groups: NDArray[np.int64]
    near_from: float
    crop_from: float


def find_copies(
    features: NDArray[np.float32],
    marks: PixelMarks,
    same_bytes: Sequence[Sequence[int]],
    on_advance: Callable[[str, int, int], None],
) -> Copies:
    """Look for copies among all ``n`` images.

    Args:
        features: ``[n, d]``.
        marks: of the same images.
        same_bytes: groups of images whose files are the same, byte for byte.
        on_advance: called as images are compared.
    """
    pairs = [Pair(group[0], one, BYTES) for group in same_bytes for one in group[1:]]
    # of files that are the same, one stands for all
    copied = {pair.second for pair in pairs}
    rest = [n for n in range(len(features)) if n not in copied]
    for group in _equal((int(marks.hashes[n]), n) for n in rest):
        pairs += [Pair(group[0], one, PIXELS) for one in group[1:]]
    copied = {pair.second for pair in pairs}
    singles = np.array([n for n in range(len(features)) if n not in copied], np.int64)
    close = nearest(
        features[singles], NEIGHBOURS, lambda done, total: on_advance(COMPARE, done, total)
    )
    thumbnails = marks.thumbnails[singles]
    near, near_from = _near(close, thumbnails)
    known = {(pair.first, pair.second) for pair in near}
    crops, crop_from = _crops(
        close, thumbnails, known, lambda done, total: on_advance(CROPS, done, total)
    )
    pairs += [
        Pair(
            int(singles[one.first]), int(singles[one.second]), one.kind, one.cosine, one.correlation
        )
        for one in (*near, *crops)
    ]
    return Copies(tuple(pairs), _groups(len(features), pairs), near_from, crop_from)


def _equal(keyed: Iterable[tuple[Hashable, int]]) -> list[list[int]]:
    found: dict[Hashable, list[int]] = defaultdict(list)
    for key, number in keyed:
        found[key].append(number)
    return [group for group in found.values() if len(group) > 1]


def _near(close: Nearest, thumbnails: NDArray[np.uint8]) -> tuple[list[Pair], float]:
    first, second, ranks, cosines = _candidates(close, NEIGHBOURS, _LEAST_COSINE)
    found = correlations(thumbnails, first, second)
    # the nearest three may be copies; those behind them show what is usual
    least = _outstanding(found[ranks >= 3], NEAR_FLOOR)
    return _pairs(first, second, cosines, found, least, NEAR), least


def _crops(
    close: Nearest,
    thumbnails: NDArray[np.uint8],
    known: set[tuple[int, int]],
    on_pairs: Callable[[int, int], None],
) -> tuple[list[Pair], float]:
    first, second, ranks, cosines = _candidates(close, _OF_CROPS, _LEAST_COSINE_OF_CROPS)
    new = np.array(
        [pair not in known for pair in zip(first.tolist(), second.tolist(), strict=True)]
    )
    first, second, ranks, cosines = (
        one[new.astype(bool)] for one in (first, second, ranks, cosines)
    )
    found = part_correlations(thumbnails, first, second, on_pairs)
    least = _outstanding(found[ranks >= 1], CROP_FLOOR)
    return _pairs(first, second, cosines, found, least, CROP), least


def _candidates(
    close: Nearest, count: int, least: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Pairs of neighbours, each once: lower number, higher number, rank of the one, cosine."""
    total, kept = close.numbers.shape
    kept = min(kept, count)
    one = np.repeat(np.arange(total), kept)
    other = close.numbers[:, :kept].ravel()
    ranks, cosines = np.tile(np.arange(kept), total), close.cosines[:, :kept].ravel()
    low, high = np.minimum(one, other), np.maximum(one, other)
    order = np.lexsort((ranks, high, low))
    low, high, ranks, cosines = low[order], high[order], ranks[order], cosines[order]
    again = np.zeros(len(low), np.bool_)
    again[1:] = (low[1:] == low[:-1]) & (high[1:] == high[:-1])
    chosen = ~again & (cosines >= least)
    return low[chosen], high[chosen], ranks[chosen], cosines[chosen]


def _outstanding(usual: NDArray[np.float32], floor: float) -> float:
    """The correlation that hardly any pair reaches that is none.

    In Fisher's z correlations are about normal. The median and the 90th percentile say how they
    are spread, since copies may be among the highest.
    """
    if len(usual) < _ENOUGH:
        return floor
    z = np.arctanh(np.clip(usual, -0.999, 0.999))
    middle, high = np.quantile(z, [0.5, 0.9])
    least = np.tanh(middle + _DEVIATIONS * (high - middle) / 1.2816)
    return float(np.clip(least, floor, CEILING))


def _pairs(
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    cosines: NDArray[np.float32],
    found: NDArray[np.float32],
    least: float,
    kind: str,
) -> list[Pair]:
    chosen = np.flatnonzero(found >= least)
    return [
        Pair(int(first[k]), int(second[k]), kind, float(cosines[k]), float(found[k]))
        for k in chosen
    ]


def _groups(count: int, pairs: Sequence[Pair]) -> NDArray[np.int64]:
    first = np.array([pair.first for pair in pairs], np.int64)
    second = np.array([pair.second for pair in pairs], np.int64)
    graph = coo_array((np.ones(len(pairs)), (first, second)), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)
