"""A Gaussian process with a Matern 5/2 kernel, its parameters the most probable ones.

Kernel, priors and the search for the parameters are those of Optuna's ``GPSampler`` and of its
``RegretBoundEvaluator``, which need PyTorch; here NumPy and SciPy do.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LEAST_NOISE = 1e-6
_LENGTH_PRIOR = 0.1
_SCALE_PRIOR = (2.0, 1.0)
_NOISE_PRIOR = (1.1, 30.0)
"""Of the inverse squared length ``x`` of each parameter -0.1 / x - 0.1 x is the logarithm of the
prior; those of the kernel's scale and of the noise are gamma distributions (shape, rate)."""


@dataclass(frozen=True, eq=False)
class GaussianProcess:
    """A process that was fitted to ``n`` values.

    Attributes:
        points: ``[n, d]``, in [0, 1]; of a categorical parameter the index of the choice.
        categorical: ``[d]``, whose distance is 0 or 1.
        inverse_squares: ``[d]``, of the length over which values change.
        scale: variance of the process.
        factor: ``[n, n]``, the Cholesky factor of the covariance of the values.
        weights: ``[n]``, by which covariances give the mean.
    """

    points: Floats
    categorical: NDArray[np.bool_]
    inverse_squares: Floats
    scale: float
    factor: Floats
    weights: Floats

    def posterior(self, points: Floats) -> tuple[Floats, Floats]:
        """``[m]`` means and ``[m]`` standard deviations at ``[m, d]`` points."""
        from scipy.linalg import solve_triangular

        squares = _squares(points, self.points, self.categorical) @ self.inverse_squares
        covariance = self.scale * _matern(squares)
        solved = solve_triangular(self.factor, covariance.T, lower=True)
        variance = np.maximum(self.scale - (solved**2).sum(axis=0), 0.0)
        return covariance @ self.weights, np.sqrt(variance)


def fitted(points: Floats, values: Floats, categorical: NDArray[np.bool_]) -> GaussianProcess:
    """The process of ``[n]`` standardized ``values`` at ``[n, d]`` ``points``.

    Raises:
        ArithmeticError: no parameters were found.
    """
    from scipy.linalg import LinAlgError, cho_solve, cholesky
    from scipy.optimize import minimize

    squares = _squares(points, points, categorical)
    count = points.shape[1]

    def loss(raw: Floats) -> tuple[float, Floats]:
        """Minus the logarithm of the posterior of the parameters, and its gradient."""
        inverse, scale, noise = _parameters(raw, count)
        distances = squares @ inverse
        correlation = _matern(distances)
        factor = cholesky(scale * correlation + noise * np.eye(len(values)), lower=True)
        weights = cho_solve((factor, True), values)
        likelihood = -np.log(np.diag(factor)).sum() - 0.5 * values @ weights
        # derivatives by each entry of the covariance, see Rasmussen and Williams (2006), 5.9
        by_entry = 0.5 * (
            np.outer(weights, weights) - cho_solve((factor, True), np.eye(len(values)))
        )
        by_inverse = np.tensordot(by_entry * scale * _matern_slope(distances), squares, 2)
        by_scale, by_noise = (by_entry * correlation).sum(), np.trace(by_entry)
        prior, slopes = _log_prior(inverse, scale, noise)
        slopes += np.concatenate([by_inverse, [by_scale, by_noise]])
        # the parameters themselves are exponentials
        slopes *= np.concatenate([inverse, [scale, noise - _LEAST_NOISE]])
        return -(likelihood + prior), -slopes

    start = np.zeros(count + 2)
    try:
        found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"gtol": 1e-2})
        inverse, scale, noise = _parameters(found.x, count)
        covariance = scale * _matern(squares @ inverse) + noise * np.eye(len(values))
        factor = cholesky(covariance, lower=True)
    except LinAlgError as error:
        raise ArithmeticError(f"no Gaussian process fits the values: {error}") from None
    weights = cho_solve((factor, True), values)
    return GaussianProcess(points, categorical, inverse, scale, factor, weights)


def _parameters(raw: Floats, count: int) -> tuple[Floats, float, float]:
    plain = np.exp(np.clip(raw, -20, 20))
    return plain[:count], float(plain[count]), float(plain[count + 1]) + _LEAST_NOISE


def _log_prior(inverse: Floats, scale: float, noise: float) -> tuple[float, Floats]:
    value = -_LENGTH_PRIOR * (1 / inverse + inverse).sum()
    slopes = [*(_LENGTH_PRIOR * (inverse**-2 - 1))]
    for parameter, (shape, rate) in ((scale, _SCALE_PRIOR), (noise, _NOISE_PRIOR)):
        value += (shape - 1) * np.log(parameter) - rate * parameter
        slopes.append((shape - 1) / parameter - rate)
    return float(value), np.array(slopes)


def _squares(one: Floats, other: Floats, categorical: NDArray[np.bool_]) -> Floats:
    """``[m, n, d]`` squared distances by parameter."""
    squares: Floats = (one[:, np.newaxis] - other[np.newaxis]) ** 2
    squares[..., categorical] = squares[..., categorical] > 0
    return squares


def _matern(squares: Floats) -> Floats:
    roots = np.sqrt(5 * squares)
    found: Floats = np.exp(-roots) * (5 / 3 * squares + roots + 1)
    return found


def _matern_slope(squares: Floats) -> Floats:
    roots = np.sqrt(5 * squares)
    found: Floats = -5 / 6 * (1 + roots) * np.exp(-roots)
    return found
