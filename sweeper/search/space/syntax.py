"""Hydra's sweep syntax as Optuna distributions, and Optuna's values as Hydra writes them.

=============================  ===========================================================
``key: choice(a, b)``          one of the values; they keep their types
``key: a,b``                   the same; ``null`` can be a choice in this form only
``key: glob(*)``               one of the options of the group ``key``
``key: range(1, 4)``           whole numbers 1, 2, 3: as in Hydra, the end is left out
``key: range(0.1, 0.5, 0.1)``  0.1, 0.2, 0.3, 0.4
``key: interval(0.1, 0.5)``    any number from 0.1 to 0.5
``key: int(interval(1, 8))``   any whole number from 1 to 8, both included
``tag(log, interval(a, b))``   the same, even on a logarithmic scale
``key: 3`` or ``key=3``        fixed
=============================  ===========================================================

Every sampler gets these distributions, so the ends mean the same to all of them. ``shuffle`` and
``sort`` are read and change nothing: the sampler decides the order.
"""

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    ChoiceSweep,
    IntervalSweep,
    Override,
    Quote,
    QuotedString,
    RangeSweep,
    ValueType,
)
from hydra.errors import HydraException, OverrideParseException
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from sweeper.records import Value


def read_override(parser: OverridesParser, line: str) -> Override:
    """One override, parsed. ValueError says what is wrong with it."""
    try:
        (override,) = parser.parse_overrides([line])
    except OverrideParseException as error:
        lines = str(error).splitlines()
        shown = [part for part in lines if not part.startswith(("Error parsing", "See https:"))]
        raise ValueError(" ".join(" ".join(shown).rstrip("^ ").split())) from None
    return override


def distribution_of(override: Override) -> BaseDistribution | None:
    """What ``override`` sweeps over, None when it sweeps over nothing.

    Raises:
        ValueError: the sweep holds no value, or nothing that Optuna could search.
    """
    if override.value_type == ValueType.GLOB_CHOICE_SWEEP:
        return _glob(override)
    sweep = override.value()
    if isinstance(sweep, ChoiceSweep):
        _check_tags(sweep.tags, known=())
        return _categorical(sweep.list)
    if isinstance(sweep, RangeSweep):
        _check_tags(sweep.tags, known=("log",))
        return _range(sweep)
    if isinstance(sweep, IntervalSweep):
        _check_tags(sweep.tags, known=("int", "log"))
        return _interval(sweep)
    return None


def value_of(override: Override) -> Value:
    """What ``override`` fixes its key to; a list or mapping as the text that Hydra reads."""
    value = override.value()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return override.get_value_element_as_str()


def spell(value: Value) -> str:
    """``value`` as Hydra's override grammar writes it, so that it parses back to itself.

    Text in brackets or braces is a list or mapping and stays as it is.

    >>> spell("a b"), spell(None), spell(True), spell(1e-4), spell("[1,2]")
    ('"a b"', 'null', 'true', '0.0001', '[1,2]')
    """
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, int | float):
        return repr(value)
    plain = value.replace("_", "").replace("-", "").replace("/", "").replace(".", "")
    reads_as_text = value[:1].isalpha() and value.lower() not in _WORDS
    if plain.isascii() and plain.isalnum() and reads_as_text:
        return value
    if value[:1] + value[-1:] in ("[]", "{}"):
        return value
    return QuotedString(value, Quote.double).with_quotes()


_WORDS = frozenset({"true", "false", "null", "nan", "inf"})
"""Words that Hydra's grammar does not read as text."""


def spell_yaml(written: object) -> str:
    """What a YAML file holds, as override text: text is in Hydra's syntax already.

    >>> spell_yaml("choice(a, b)"), spell_yaml(["a b", 1, None])
    ('choice(a, b)', '["a b",1,null]')
    """
    if isinstance(written, str):
        return written
    return Override._get_value_element_as_str(_quoted(written))


def shown(value: object) -> str:
    """Any plain value as a person writes it on the command line, for messages."""
    if value is None or isinstance(value, bool | int | float | str):
        return spell(value)
    return spell_yaml(value)


def _quoted(written: object) -> Any:
    if isinstance(written, str):
        return QuotedString(written, Quote.double)
    if isinstance(written, list):
        return [_quoted(item) for item in written]
    if isinstance(written, Mapping):
        return {key: _quoted(item) for key, item in written.items()}
    return written


def _check_tags(tags: set[str], known: tuple[str, ...]) -> None:
    unknown = sorted(tags - set(known))
    if unknown:
        raise ValueError(f"unknown tag {unknown[0]!r}; known here: {', '.join(known) or 'none'}")


def _categorical(elements: Iterable[Any]) -> CategoricalDistribution:
    values: list[Value] = []
    for element in elements:
        if isinstance(element, QuotedString):
            values.append(element.text)
        elif element is None or isinstance(element, bool | int | float | str):
            values.append(element)
        else:
            values.append(Override._get_value_element_as_str(element))
    for index, value in enumerate(values):
        if value in values[:index]:
            twin = values[values.index(value)]
            # a stored study would give one for the other: Optuna finds a choice by ==
            both = f"{spell(twin)} and {spell(value)}"
            raise ValueError(f"Optuna cannot tell the choices {both} apart; leave one out")
    return CategoricalDistribution(values)


def _glob(override: Override) -> CategoricalDistribution:
    try:
        options = list(override.sweep_iterator())
    except HydraException as error:
        raise ValueError(str(error)) from None
    if not options:
        raise ValueError(f"matches no option of the group {override.key_or_group!r}")
    return _categorical(options)


def _range(sweep: RangeSweep) -> BaseDistribution:
    numbers = (sweep.start, sweep.stop, sweep.step)
    # decimal: in binary, three steps of 0.3 fall short of 0.9, and the end would be let in
    start, stop, step = (Decimal(str(number)) for number in numbers)
    if not all(number.is_finite() for number in (start, stop, step)) or step == 0:
        raise ValueError("its ends must be finite and its step must not be 0")
    count = math.ceil((stop - start) / step)
    if count < 1:
        raise ValueError("holds no value; the end must lie above the start")
    low, high = sorted((start, start + (count - 1) * step))
    log = "log" in sweep.tags
    if log and abs(step) != 1:
        raise ValueError("a logarithmic range takes no step; use tag(log, interval(...))")
    if all(isinstance(number, int) for number in numbers):
        return IntDistribution(int(low), int(high), step=int(abs(step)), log=log)
    if log:
        raise ValueError("a logarithmic range is of whole numbers; use tag(log, interval(...))")
    return FloatDistribution(float(low), float(high), step=float(abs(step)))


def _interval(sweep: IntervalSweep) -> BaseDistribution:
    low, high, log = sweep.start, sweep.end, "log" in sweep.tags
    assert low is not None
    assert high is not None
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError("its ends must be finite")
    # interval(1, 8) arrives as floats; only int(interval(1, 8)) has whole ends
    if "int" in sweep.tags or (isinstance(low, int) and isinstance(high, int)):
        return IntDistribution(int(low), int(high), log=log)
    return FloatDistribution(float(low), float(high), log=log)
