"""What the search does with Optuna's distributions: ask, cast, count, and put into words."""

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import BaseTrial

from sweeper.records import Value
from sweeper.search.space.syntax import spell, spell_yaml


def same(one: object, other: object) -> bool:
    """Whether two values are one: ``1`` is ``1.0``, but neither ``True`` nor ``"1"``."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        # a stepped float is counted up to, and arrives as 0.30000000000000004
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-15)
    return one == other


def suggest(trial: BaseTrial, key: str, distribution: BaseDistribution) -> Value:
    """A value of ``distribution``, asked of Optuna."""
    if isinstance(distribution, CategoricalDistribution):
        choice: Value = trial.suggest_categorical(key, distribution.choices)
        return choice
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(
            key, distribution.low, distribution.high, step=distribution.step, log=distribution.log
        )
    assert isinstance(distribution, FloatDistribution)
    return trial.suggest_float(
        key, distribution.low, distribution.high, step=distribution.step, log=distribution.log
    )


def cast(distribution: BaseDistribution, value: object) -> Value:
    """``value``, which a person wrote, as the distribution's own type.

    Raises:
        ValueError: it does not lie in the distribution; the text says what would.
    """
    fault = ValueError(f"must be {in_words(distribution)}, got {value!r}")
    if isinstance(distribution, CategoricalDistribution):
        for choice in distribution.choices:
            # a choice that is a list or mapping is kept as its text
            if same(choice, value) or (
                isinstance(value, list | Mapping) and choice == spell_yaml(value)
            ):
                own: Value = choice
                return own
        raise fault
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise fault
    if not distribution._contains(value):
        raise fault
    return int(value) if isinstance(distribution, IntDistribution) else float(value)


def takes(distribution: BaseDistribution, value: Value) -> bool:
    """Whether a trial may well have exactly ``value``; nearly never, where there is no step."""
    if isinstance(distribution, FloatDistribution) and distribution.step is None:
        return False
    try:
        cast(distribution, value)
    except ValueError:
        return False
    return True


def ends(distribution: BaseDistribution) -> tuple[Value, ...]:
    """Every choice, or the lowest and the highest number."""
    if isinstance(distribution, CategoricalDistribution):
        return tuple(distribution.choices)
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return (distribution.low, distribution.high)


def enumerate_values(distribution: BaseDistribution) -> Iterable[Value] | None:
    """Every value in order; None where there is no step to count them by."""
    if isinstance(distribution, CategoricalDistribution):
        return tuple(distribution.choices)
    if isinstance(distribution, IntDistribution):
        return range(distribution.low, distribution.high + 1, distribution.step)
    assert isinstance(distribution, FloatDistribution)
    if distribution.step is None:
        return None
    low, high, step = map(
        Decimal, map(str, (distribution.low, distribution.high, distribution.step))
    )
    return (float(low + step * index) for index in range(int((high - low) / step) + 1))


def in_brief(distribution: BaseDistribution) -> str:
    """The distribution in a few words, fit for a table.

    >>> in_brief(FloatDistribution(0.001, 0.1, log=True))
    '0.001 to 0.1, logarithmic'
    """
    if isinstance(distribution, CategoricalDistribution):
        *some, last = map(spell, distribution.choices)
        return f"{', '.join(some)} or {last}" if some else last
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    whole = isinstance(distribution, IntDistribution)
    low, high = (f"{end}" if whole else f"{end:g}" for end in (distribution.low, distribution.high))
    steps = "" if distribution.step in (None, 1) else f" in steps of {distribution.step:g}"
    return f"{low} to {high}{steps}{', logarithmic' if distribution.log else ''}"


def in_words(distribution: BaseDistribution) -> str:
    """The distribution, fit for the end of a sentence.

    >>> in_words(IntDistribution(0, 9, step=3))
    'a whole number from 0 to 9 in steps of 3'
    """
    if isinstance(distribution, CategoricalDistribution):
        return "one of " + ", ".join(map(spell, distribution.choices))
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    kind = "a whole number" if isinstance(distribution, IntDistribution) else "a number"
    steps = "" if distribution.step in (None, 1) else f" in steps of {distribution.step}"
    scale = " on a logarithmic scale" if distribution.log else ""
    return f"{kind} from {distribution.low} to {distribution.high}{steps}{scale}"
