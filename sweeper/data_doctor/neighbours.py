"""The nearest images of each image by the cosine of their features, in blocks of the matrix."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BLOCK = 2048
"""Rows and columns: 16 MB of the matrix at a time."""
_NUMBERS = 256
"""Principal components in which features are compared; all of what differs is in few of them."""


@dataclass(frozen=True, eq=False)
class Nearest:
    """``[n, k]``: numbers of the nearest images, the nearest first, and their cosines."""

    numbers: NDArray[np.int64]
    cosines: NDArray[np.float32]


def nearest(
    features: NDArray[np.float32],
    count: int,
    on_images: Callable[[int, int], None] = lambda _done, _total: None,
) -> Nearest:
    """``count`` nearest others of each of ``[n, d]`` features, or all others of fewer.

    Features are centred first: their common part would make all cosines alike. Memory grows with
    ``n``, time with its square: 100,000 images take minutes.
    """
    unit = _unit(_reduced(features - features.mean(axis=0)))
    total = len(unit)
    count = min(count, max(0, total - 1))
    made = Nearest(np.zeros((total, count), np.int64), np.zeros((total, count), np.float32))
    if not count:
        return made
    for first in range(0, total, _BLOCK):
        rows = unit[first : first + _BLOCK]
        places = np.zeros((len(rows), 0), np.int64)
        cosines = np.zeros((len(rows), 0), np.float32)
        for other in range(0, total, _BLOCK):
            block = rows @ unit[other : other + _BLOCK].T
            if other == first:
                np.fill_diagonal(block, -np.inf)
            columns = np.broadcast_to(np.arange(other, other + block.shape[1]), block.shape)
            cosines, places = _largest(
                np.concatenate([cosines, block], 1), np.concatenate([places, columns], 1), count
            )
        order = np.argsort(-cosines, axis=1, kind="stable")
        made.numbers[first : first + _BLOCK] = np.take_along_axis(places, order, 1)
        made.cosines[first : first + _BLOCK] = np.take_along_axis(cosines, order, 1)
        on_images(min(first + _BLOCK, total), total)
    return made


def _largest(
    values: NDArray[np.float32], places: NDArray[np.int64], count: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    if values.shape[1] <= count:
        return values, places
    chosen = np.argpartition(-values, count - 1, axis=1)[:, :count]
    return np.take_along_axis(values, chosen, 1), np.take_along_axis(places, chosen, 1)


def _reduced(centred: NDArray[np.float32]) -> NDArray[np.float32]:
    """The first principal components, where there are more features than :data:`_NUMBERS`."""
    if centred.shape[1] <= _NUMBERS:
        return centred
    _, vectors = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    return np.asarray(centred @ vectors[:, -_NUMBERS:].astype(np.float32), np.float32)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    # features that are all alike have no direction
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)
