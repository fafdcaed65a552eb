"""How a report spells intervals and times."""

from collections.abc import Sequence

from sweeper.statistics.intervals import Figure

_UNITS = ((7200.0, 3600.0, "hours"), (120.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))
"""From how many seconds on an axis is in what."""


def interval(figure: Figure) -> str:
    """``95 %: 0.912 to 0.961``; empty where none is known."""
    if figure.low is None or figure.high is None:
        return ""
    return f"95 %: {figure.low:.3f} to {figure.high:.3f}"


def span_of_time(seconds: float) -> str:
    """``12 s``, ``3 min 20 s``, ``2 h 5 min``, ``3 d 4 h``.

    >>> [span_of_time(seconds) for seconds in (0.4, 12, 200, 7500, 273600)]
    ['0.4 s', '12 s', '3 min 20 s', '2 h 5 min', '3 d 4 h']
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, below, smaller in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // below
            return f"{whole // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def in_units(seconds: Sequence[float]) -> tuple[list[float], str]:
    """``seconds`` in the unit that an axis up to the largest has, and its name."""
    largest = max(seconds, default=0.0)
    size, name = next((size, name) for least, size, name in _UNITS if largest >= least)
    return [round(one / size, 4) for one in seconds], name
