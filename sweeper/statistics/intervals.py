"""95 % intervals of what is measured on images."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Figure:
    """A number; ``low`` and ``high`` bound it in 95 of 100 cases, None where nobody knows how."""

    value: float
    low: float | None = None
    high: float | None = None


def of_share(hits: int, images: int) -> tuple[float, float]:
    """Where the true share lies in 95 of 100 cases, when it was ``hits`` of ``images``.

    Wilson's score interval (1927): unlike the share plus or minus 1.96 deviations it stays within
    [0, 1], and has a width where all or none were hits.
    """
    from scipy import stats  # half a second, for which a sweep's slots shall not wait

    found = stats.binomtest(hits, images).proportion_ci(_CONFIDENCE, method="wilson")
    return float(found.low), float(found.high)


def of_mean(values: NDArray[np.floating]) -> tuple[float | None, float | None]:
    """Where the true mean lies, by Student's t; None of a single value, which says nothing."""
    from scipy import stats

    if len(values) < 2:
        return None, None
    mean = float(values.mean())
    half = stats.t.ppf((1 + _CONFIDENCE) / 2, len(values) - 1) * float(values.std(ddof=1))
    half /= math.sqrt(len(values))
    return float(mean - half), float(mean + half)
