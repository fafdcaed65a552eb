"""What more trials of an Optuna study could still gain, estimated from those that are complete."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.search_space import intersection_search_space
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from sweeper.search.attributes import WARM_START
from sweeper.study_files.gain import Gain

_SEED = 0
Floats = NDArray[np.float64]


def estimated(
    trials: Sequence[FrozenTrial], directions: Sequence[StudyDirection], error: float | None = None
) -> Gain:
    """The gain of more trials; where it is not known, why.

    Args:
        trials: all of the study. Those that break a constraint, or were taken from another study,
            say nothing.
        directions: of its objectives.
        error: standard error of the best figure, None where nobody knows it.
    """
    from sweeper.statistics.regret import LEAST_TRIALS, regret_bound

    complete = [
        trial
        for trial in trials
        if trial.state is TrialState.COMPLETE
        and WARM_START not in trial.user_attrs
        and all(value <= 0 for value in trial.constraints.values())
        and all(map(math.isfinite, trial.values))
    ]
    count = len(complete)
    if len(directions) > 1:
        return Gain(count, None, None, f"there are {len(directions)} objectives")
    if count < LEAST_TRIALS:
        why = f"it takes {LEAST_TRIALS} results, and there are {count}"
        return Gain(count, None, error, why)
    space = {key: kind for key, kind in _common(complete).items() if not kind.single()}
    if not space:
        return Gain(count, None, error, "no parameter is searched in all trials")
    sign = 1 if directions[0] is StudyDirection.MAXIMIZE else -1
    values = sign * np.array([trial.values[0] for trial in complete])
    points = np.array(
        [[_place(k, trial.params[n]) for n, k in space.items()] for trial in complete]
    )
    kinds = list(space.values())
    categorical = np.array([isinstance(kind, CategoricalDistribution) for kind in kinds])
    try:
        most = regret_bound(points, values, categorical, lambda count: _sample(kinds, count))
    except ArithmeticError as fault:
        return Gain(count, None, error, str(fault))
    return Gain(count, most, error)


def _common(trials: Sequence[FrozenTrial]) -> Mapping[str, BaseDistribution]:
    return intersection_search_space(list(trials))


def _place(kind: BaseDistribution, value: object) -> float:
    """Where a value lies in [0, 1]; of a choice its index."""
    if isinstance(kind, CategoricalDistribution):
        return kind.to_internal_repr(value)  # type: ignore[arg-type]
    low, high = _ends(kind)
    number = math.log(value) if kind.log else value  # type: ignore[arg-type, attr-defined]
    return float((number - low) / (high - low))  # type: ignore[operator]


def _ends(kind: BaseDistribution) -> tuple[float, float]:
    """Both ends of a range, half a step beyond the first and the last value."""
    assert isinstance(kind, FloatDistribution | IntDistribution)
    half = (kind.step or 0) / 2
    low, high = kind.low - half, kind.high + half
    return (math.log(low), math.log(high)) if kind.log else (low, high)


def _sample(kinds: Sequence[BaseDistribution], count: int) -> Floats:
    """``[count, d]`` random points, the same ones each time; steps are kept to."""
    random = np.random.default_rng(_SEED)
    columns = []
    for kind in kinds:
        if isinstance(kind, CategoricalDistribution):
            columns.append(random.integers(0, len(kind.choices), count).astype(np.float64))
            continue
        assert isinstance(kind, FloatDistribution | IntDistribution)
        drawn, (low, high) = random.random(count), _ends(kind)
        if kind.step:
            plain = low + drawn * (high - low)
            plain = np.exp(plain) if kind.log else plain
            steps = np.round((plain - kind.low) / kind.step)
            plain = np.clip(kind.low + steps * kind.step, kind.low, kind.high)
            drawn = ((np.log(plain) if kind.log else plain) - low) / (high - low)
        columns.append(drawn)
    return np.stack(columns, axis=1)
