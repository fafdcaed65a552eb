"""What more trials of a search could still gain, at most: a bound of the regret.

Makarova et al., Automatic Termination for Hyperparameter Optimization (AutoML 2022), as Optuna's
``RegretBoundEvaluator`` has it: the highest upper confidence bound of a Gaussian process anywhere
in the search space, less the highest lower one at the trials so far. Optuna's class needs PyTorch,
and its module is deprecated since 4.9.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sweeper.statistics.gaussian_process import Floats, fitted

LEAST_TRIALS = 20
"""Fewer complete trials say too little, as in Optuna."""
_MOST_POINTS = 100
"""Of the best trials; the work grows with the cube of their number."""
_TOP_SHARE = 0.5
_DELTA = 0.1
_SAMPLES = 2048


def regret_bound(
    points: Floats,
    values: Floats,
    categorical: NDArray[np.bool_],
    sample: Callable[[int], Floats],
) -> float:
    """How much better than the best of ``values`` the best of all points may be.

    Args:
        points: ``[n, d]`` of the trials, in [0, 1]; of a categorical parameter the index.
        values: ``[n]``, higher is better.
        categorical: ``[d]``.
        sample: gives ``[m, d]`` random points of the search space.

    Returns:
        The bound, in the unit of ``values``. It is 0 or more, and no trial need reach it: it holds
        in nine of ten cases where a Gaussian process describes the values.

    Raises:
        ArithmeticError: no Gaussian process fits.
    """
    count = min(max(int(len(values) * _TOP_SHARE), LEAST_TRIALS), len(values), _MOST_POINTS)
    top = np.argsort(-values, kind="stable")[:count]
    points, values = points[top], values[top]
    deviation = max(float(values.std()), 1e-10)
    process = fitted(points, (values - values.mean()) / deviation, categorical)
    width = np.sqrt(_beta(points.shape[1], count))
    means, deviations = process.posterior(points)
    elsewhere, uncertain = process.posterior(sample(_SAMPLES))
    highest = max((means + width * deviations).max(), (elsewhere + width * uncertain).max())
    return max(float(highest - (means - width * deviations).max()) * deviation, 0.0)


def _beta(parameters: int, trials: int) -> float:
    """By how many variances the bounds stand off, a fifth of the theorem's, as in the paper."""
    return float(2 * np.log(parameters * trials**2 * np.pi**2 / 6 / _DELTA) / 5)
