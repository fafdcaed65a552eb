"""Intervals of means by the bootstrap, for many rows that are measured on the same images."""

import numpy as np
from numpy.typing import NDArray

_SEED = 0
_RESAMPLES = 2000
"""Efron and Tibshirani (1993) ask for 1000 at least where ends of intervals are wanted."""
_ENDS = (2.5, 97.5)
_AT_ONCE = 2**22
"""Drawn images in memory at a time."""


def of_means(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    """Where the true mean of each row lies in 95 of 100 cases.

    The percentile bootstrap. All rows share the drawn images, so that rows that are differences of
    the same images are compared in pairs. The draws are the same each time.

    Args:
        rows: ``[k, n]``.

    Returns:
        ``[k, 2]``, low and high.
    """
    count = rows.shape[1]
    random, means = np.random.default_rng(_SEED), []
    values = rows.T.astype(np.float32)
    each = max(1, _AT_ONCE // count)
    for start in range(0, _RESAMPLES, each):
        size = min(each, _RESAMPLES - start)
        drawn = random.integers(0, count, (size, count)) + count * np.arange(size)[:, np.newaxis]
        times = np.bincount(drawn.ravel(), minlength=size * count).reshape(size, count)
        means.append(times.astype(np.float32) @ values / count)
    ends: NDArray[np.float64] = np.percentile(np.concatenate(means), _ENDS, axis=0).T
    return ends
