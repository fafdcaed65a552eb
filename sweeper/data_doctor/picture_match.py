"""How alike the details of two pictures are, as they lie or where one is a part of the other.

Details are what a grey thumbnail has beside its own blurred version: brightness, contrast and the
large shapes that pictures of one kind have in common are gone, and unrelated pictures correlate
with about 0.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2
from scipy.ndimage import gaussian_filter1d, zoom
from threadpoolctl import threadpool_limits

Pictures = NDArray[np.uint8]
Floats = NDArray[np.float32]

BLUR = 2.0
"""Standard deviation in pixels of the thumbnail."""
_FAINT = 1.0
"""Levels of 255: where details vary less there is nothing to compare."""
_PARTS = tuple(range(25, 31))
"""Sides of the window of a cropped picture, in pixels of a thumbnail of 32: 78 % to 94 %."""
_CHUNK = 256
"""Pairs at a time: what is computed of them stays in the processor's cache."""


def details(pictures: NDArray[np.uint8] | Floats) -> Floats:
    """``[n, s, s]``: what a blur takes away; all 0 where a picture has next to no details."""
    grey = pictures.astype(np.float32)
    found = grey - _both_ways(grey, _blurring(grey.shape[1]))
    faint = found.std(axis=(1, 2), keepdims=True) < _FAINT
    return np.where(faint, np.float32(0), found)


def correlations(
    thumbnails: Pictures, first: NDArray[np.int64], second: NDArray[np.int64]
) -> Floats:
    """``[pairs]``: Pearson's correlation of the details of two pictures as they lie."""
    made = np.zeros(len(first), np.float32)
    for start in range(0, len(first), _CHUNK):
        chosen = slice(start, start + _CHUNK)
        one, other = (_standard(details(thumbnails[at[chosen]])) for at in (first, second))
        made[chosen] = (one * other).sum(axis=(1, 2))
    return made


def part_correlations(
    thumbnails: Pictures,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    on_pairs: Callable[[int, int], None] = lambda _done, _total: None,
) -> Floats:
    """``[pairs]``: the same where one picture is best laid into a window of the other."""
    made = np.full(len(first), -1, np.float32)
    for start in range(0, len(first), _CHUNK):
        chosen = slice(start, start + _CHUNK)
        one, other = thumbnails[first[chosen]], thumbnails[second[chosen]]
        # threads that share products as small as these take 5 times as long
        with threadpool_limits(1, "blas"):
            made[chosen] = np.maximum(_best_window(one, other), _best_window(other, one))
        on_pairs(min(start + _CHUNK, len(first)), len(first))
    return made


def _best_window(whole: Pictures, part: Pictures) -> Floats:
    """Correlation of each ``part``, in each size, with the window of ``whole`` most like it."""
    full = whole.shape[1]
    ground = details(whole)
    spectrum = rfft2(ground)
    sums, squares = (_running_sums(values) for values in (ground, ground**2))
    best = np.full(len(whole), -1, np.float32)
    for side in _PARTS:
        smaller = _both_ways(part.astype(np.float32), _shrinking(full, side))
        padded = np.zeros_like(ground)
        padded[:, :side, :side] = _standard(details(smaller))
        # the pattern has mean 0, so the mean of the window does not matter
        products = irfft2(spectrum * np.conj(rfft2(padded)), s=(full, full))
        size = full - side + 1
        spread = _of_windows(squares, side) - _of_windows(sums, side) ** 2 / side**2
        spread = np.sqrt(np.maximum(spread, side**2 * _FAINT**2))
        best = np.maximum(best, (products[:, :size, :size] / spread).max(axis=(1, 2)))
    return np.asarray(best, np.float32)


def _both_ways(pictures: Floats, matrix: Floats) -> Floats:
    """``matrix`` applied to the rows and the columns of each picture.

    As two large products, which take less time than many small ones.
    """
    count, side, _ = pictures.shape
    rows = (pictures.reshape(-1, side) @ matrix.T).reshape(count, side, -1).transpose(0, 2, 1)
    both = rows.reshape(-1, side) @ matrix.T
    return np.asarray(both.reshape(count, len(matrix), len(matrix)).transpose(0, 2, 1), np.float32)


@cache
def _blurring(side: int) -> Floats:
    """``[side, side]``, the matrix that blurs the rows of a picture."""
    made = gaussian_filter1d(np.eye(side, dtype=np.float32), BLUR, axis=0, mode="nearest")
    return np.asarray(made, np.float32)


@cache
def _shrinking(full: int, side: int) -> Floats:
    """``[side, full]``, the matrix that makes the rows of a picture fewer, bilinear."""
    unit = np.eye(full, dtype=np.float32)
    made = zoom(unit, (side / full, 1), order=1, grid_mode=True, mode="nearest")
    return np.asarray(made, np.float32)


def _running_sums(values: Floats) -> NDArray[np.float64]:
    padded = np.pad(values.astype(np.float64), ((0, 0), (1, 0), (1, 0)))
    return np.asarray(padded.cumsum(1).cumsum(2))


def _of_windows(sums: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """The sum within each window from the running sums, the corner of a window by place."""
    rows = sums[:, side:] - sums[:, :-side]
    return np.asarray(rows[:, :, side:] - rows[:, :, :-side])


def _standard(pictures: Floats) -> Floats:
    """Mean 0 and length 1, or all 0."""
    centred = pictures - pictures.mean(axis=(1, 2), keepdims=True)
    length = np.sqrt((centred**2).sum(axis=(1, 2), keepdims=True))
    return np.asarray(centred / np.maximum(length, 1e-6), np.float32)
