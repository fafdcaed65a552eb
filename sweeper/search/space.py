"""Hydra's sweep syntax as an Optuna search space, and Optuna's values as Hydra overrides.

=============================  ===========================================================
``key: choice(a, b)``          one of the values; they keep their types
``key: a,b`` (command line)    the same
``key: range(1, 4)``           whole numbers 1, 2, 3: as in Hydra, the end is left out
``key: range(0.1, 0.5, 0.1)``  0.1, 0.2, 0.3, 0.4
``key: interval(0.1, 0.5)``    any number from 0.1 to 0.5
``key: int(interval(1, 8))``   any whole number from 1 to 8, both included
``tag(log, interval(a, b))``   the same, even on a logarithmic scale
``key: 3`` or ``key=3``        fixed
=============================  ===========================================================
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    ChoiceSweep,
    IntervalSweep,
    Override,
    Quote,
    QuotedString,
    RangeSweep,
    Sweep,
)
from hydra.errors import OverrideParseException
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import BaseTrial

from sweeper.errors import ConfigError
from sweeper.records import Value


@dataclass(frozen=True)
class SearchSpace:
    """What is searched (by override key) and what is fixed (whole overrides, in order)."""

    searched: Mapping[str, BaseDistribution]
    fixed: tuple[str, ...]

    def suggest(self, trial: BaseTrial) -> dict[str, Value]:
        """Values for one trial, asked of Optuna one by one."""
        return {key: _suggest(trial, key, known) for key, known in self.searched.items()}

    def overrides(self, params: Mapping[str, Value]) -> tuple[str, ...]:
        """Command line of the trial with ``params``."""
        return (*self.fixed, *(f"{key}={spell(value)}" for key, value in params.items()))

    def corners(self) -> Iterator[dict[str, Value]]:
        """Parameter sets that between them hold each choice and each end of each range once.

        A recipe that composes at its corners will hardly fail in between, so all of them can be
        checked before the first trial.
        """
        ends = {key: _ends(distribution) for key, distribution in self.searched.items()}
        for row in range(max(map(len, ends.values()), default=1)):
            yield {key: values[min(row, len(values) - 1)] for key, values in ends.items()}


def parse_space(
    parser: OverridesParser, params: Mapping[str, Any], arguments: Sequence[str]
) -> SearchSpace:
    """Read ``hydra.sweeper.params`` and the command line; the command line wins.

    Raises:
        ConfigError: naming every entry that cannot be read.
    """
    faults: list[str] = []
    overrides: dict[str, Override] = {}
    lines = [f"{key}={value}" for key, value in params.items() if value is not None]
    for line in [*lines, *arguments]:
        try:
            (override,) = parser.parse_overrides([line])
        except OverrideParseException as error:
            faults.append(f"cannot read the override {line!r}: {str(error).splitlines()[0]}")
            continue
        overrides[override.get_key_element()] = override
    searched: dict[str, BaseDistribution] = {}
    fixed: list[str] = []
    for key, override in overrides.items():
        sweep = override.value()
        if not isinstance(sweep, Sweep):
            fixed.append(override.input_line or key)
            continue
        try:
            searched[key] = _distribution(sweep)
        except ValueError as error:
            faults.append(f"{override.input_line}: {error}")
    if faults:
        raise ConfigError(faults)
    return SearchSpace(searched, tuple(fixed))


def spell(value: Value) -> str:
    """``value`` as Hydra's override grammar writes it, so that it parses back to itself.

    >>> spell("a b"), spell(None), spell(True), spell(1e-4)
    ('"a b"', 'null', 'true', '0.0001')
    """
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, int | float):
        return repr(value)
    plain = value.replace("_", "").replace("-", "").replace("/", "").replace(".", "")
    reads_as_text = value[:1].isalpha() and value.lower() not in _WORDS
    if plain.isascii() and plain.isalnum() and reads_as_text:
        return value
    if value.startswith(("[", "{")):  # a list or mapping of choices travels spelled out
        return value
    return QuotedString(value, Quote.double).with_quotes()


_WORDS = frozenset({"true", "false", "null", "nan", "inf"})
"""Words that Hydra's grammar does not read as text."""


def _suggest(trial: BaseTrial, key: str, distribution: BaseDistribution) -> Value:
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


def _ends(distribution: BaseDistribution) -> tuple[Value, ...]:
    if isinstance(distribution, CategoricalDistribution):
        return tuple(distribution.choices)
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return (distribution.low, distribution.high)


def _distribution(sweep: Sweep) -> BaseDistribution:
    unknown = set(sweep.tags) - {"log", "int"}
    if unknown:
        raise ValueError(f"unknown tag {sorted(unknown)[0]!r}; known: log, int")
    if isinstance(sweep, ChoiceSweep):
        return _categorical(sweep)
    if isinstance(sweep, RangeSweep):
        return _range(sweep)
    assert isinstance(sweep, IntervalSweep)
    return _interval(sweep)


def _categorical(sweep: ChoiceSweep) -> CategoricalDistribution:
    values: list[Value] = []
    for element in sweep.list:
        if isinstance(element, QuotedString):
            values.append(element.text)
        elif element is None or isinstance(element, bool | int | float | str):
            values.append(element)
        else:
            values.append(Override._get_value_element_as_str(element))
    return CategoricalDistribution(values)


def _range(sweep: RangeSweep) -> BaseDistribution:
    start, stop, step = sweep.start, sweep.stop, sweep.step
    assert start is not None
    assert stop is not None
    count = len(list(sweep.range()))
    if count == 0 or step <= 0:
        raise ValueError("holds no value; the end must lie above the start")
    log = "log" in sweep.tags
    if log and step != 1:
        raise ValueError("a logarithmic range takes no step; use tag(log, interval(...))")
    last = start + (count - 1) * step
    if all(isinstance(number, int) for number in (start, stop, step)):
        return IntDistribution(int(start), int(last), step=int(step), log=log)
    if log:
        raise ValueError("a logarithmic range is of whole numbers; use tag(log, interval(...))")
    # rounding keeps 0.1 + 2 * 0.1 from becoming 0.30000000000000004
    return FloatDistribution(float(start), round(float(last), 12), step=float(step))


def _interval(sweep: IntervalSweep) -> BaseDistribution:
    low, high, log = sweep.start, sweep.end, "log" in sweep.tags
    assert low is not None
    assert high is not None
    # interval(1, 8) arrives as floats; only int(interval(1, 8)) has whole ends
    if "int" in sweep.tags or (isinstance(low, int) and isinstance(high, int)):
        return IntDistribution(int(low), int(high), log=log)
    return FloatDistribution(float(low), float(high), log=log)
