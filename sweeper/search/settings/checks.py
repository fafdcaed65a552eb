"""Checks of a value that a person set: a sentence for each fault (where, what arrived)."""

from collections.abc import Callable, Iterator, Mapping
from math import isfinite
from typing import Any

from sweeper.config import nearest

Check = Callable[[str, Any], Iterator[str]]
"""Yields a sentence for each fault of a value that stands at a place."""


def fault(where: str, wanted: str, value: Any) -> str:
    """Say that ``value`` is of the wrong type; its own is named."""
    got = "null" if value is None else f"{value!r} ({type(value).__name__})"
    return f"{where} must be {wanted}, got {got}"


def whole(least: int) -> Check:
    """A whole number, ``least`` or more."""

    def check(where: str, value: Any) -> Iterator[str]:
        if type(value) is not int:
            yield fault(where, "a whole number", value)
        elif value < least:
            yield f"{where} must be >= {least}, got {value}"

    return check


def number(where: str, value: Any) -> Iterator[str]:
    """A finite number."""
    if type(value) not in (int, float):
        yield fault(where, "a number", value)
    elif not isfinite(value):
        yield f"{where} must be finite, got {value}"


def seconds(where: str, value: Any) -> Iterator[str]:
    """A time that is not zero."""
    wrong = list(number(where, value))
    yield from wrong
    if not wrong and value <= 0:
        yield f"{where} must be > 0 seconds, got {value}"


def share(where: str, value: Any) -> Iterator[str]:
    """A part of a whole, from 0 to 1."""
    wrong = list(number(where, value))
    yield from wrong
    if not wrong and not 0 <= value <= 1:
        yield f"{where} must be from 0 to 1, got {value}"


def text(where: str, value: Any) -> Iterator[str]:
    """Text."""
    if not isinstance(value, str):
        yield fault(where, "text", value)


def switch(where: str, value: Any) -> Iterator[str]:
    """True or false."""
    if not isinstance(value, bool):
        yield fault(where, "true or false", value)


def group(where: str, value: Any) -> Iterator[str]:
    """A mapping."""
    if not isinstance(value, Mapping):
        yield fault(where, "a group of keys", value)


def or_null(check: Check) -> Check:
    """Nothing, or what ``check`` asks for."""
    return lambda where, value: iter(()) if value is None else check(where, value)


def unknown(given: Mapping[str, Any], known: Mapping[str, Any], where: str) -> Iterator[str]:
    """Keys of ``given`` that are not in ``known``, each with the nearest that is."""
    for key in given:
        if key not in known:
            hint = nearest(str(key), known)
            yield f"{where}.{key} is not a setting{hint}; known: {', '.join(known)}"
