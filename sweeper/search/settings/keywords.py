"""Keywords of samplers and pruners, checked against the signature of the class that takes them."""

import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

from optuna.samplers import GridSampler

from sweeper.config import nearest
from sweeper.search.settings.defaults import SAMPLERS
from sweeper.search.space.syntax import shown

_PACKAGES: Mapping[str, Sequence[str]] = {"cmaes": ("cmaes",), "gp": ("torch", "scipy")}
"""What Optuna imports at the first sample of a sampler; too late for a message."""


def keyword_faults(
    made: type, target: str, keywords: Mapping[str, Any], where: str
) -> Iterator[str]:
    """A sentence for each fault of ``keywords``, which ``made`` (named ``target``) is to take."""
    yield from _missing_packages(target, where)
    yield from _signature_faults(made, keywords, where)
    if issubclass(made, GridSampler):
        yield from _grid_faults(keywords["search_space"], f"{where}.search_space")


def _missing_packages(target: str, where: str) -> Iterator[str]:
    for option, packages in _PACKAGES.items():
        missing = [name for name in packages if find_spec(name) is None]
        if target == SAMPLERS[option]["_target_"] and missing:
            place = where if where.count(".") > 2 else where.replace(".", "/")
            noun = "packages" if len(missing) > 1 else "package"
            yield (
                f"{place}={option} needs the {noun} {', '.join(missing)}; "
                f"pip install {' '.join(missing)}"
            )


def _signature_faults(made: type, keywords: Mapping[str, Any], where: str) -> Iterator[str]:
    parameters = inspect.signature(made).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for key, value in keywords.items():
        if key in parameters:
            yield from _value_faults(parameters[key], value, f"{where}.{key}")
        elif not takes_any:
            yield (
                f"{where}.{key} is not a keyword of {made.__name__}{nearest(key, parameters)}; "
                f"known: {', '.join(parameters) or 'none'}"
            )
    for key, parameter in parameters.items():
        required = parameter.default is parameter.empty and parameter.kind in (
            parameter.POSITIONAL_OR_KEYWORD,
            parameter.KEYWORD_ONLY,
        )
        if required and key not in keywords:
            yield f"{where}.{key} is missing; set {where}.{key}=<value>"


_KINDS: Mapping[str, tuple[str, tuple[type, ...]]] = {
    "bool": ("true or false", (bool,)),
    "int": ("a whole number", (int,)),
    "float": ("a number", (int, float)),
    "str": ("text", (str,)),
    "None": ("null", (type(None),)),
}


def _value_faults(parameter: inspect.Parameter, value: Any, where: str) -> Iterator[str]:
    """Optuna's constructors take any type, and trip over it in the middle of the study."""
    if value == "???":
        yield f"{where} is missing; set {where}=<value>"
        return
    if parameter.name == "seed" and type(value) is int and not 0 <= value < 2**32:
        yield f"{where} must be from 0 to {2**32 - 1}, got {value}"
    kinds = inspect.formatannotation(parameter.annotation).strip("'").split(" | ")
    if set(kinds) <= _KINDS.keys() and not any(type(value) in _KINDS[kind][1] for kind in kinds):
        wanted = " or ".join(_KINDS[kind][0] for kind in kinds)
        yield f"{where} must be {wanted}, got {value!r} ({type(value).__name__})"


_MOST_POINTS = 10**6
"""Of a grid: Optuna lists them all before the first trial."""


def _grid_faults(space: Any, where: str) -> Iterator[str]:
    if not isinstance(space, Mapping) or not all(isinstance(v, list) for v in space.values()):
        yield (
            f"{where} must map each parameter to a list of its values, got {space!r}; null takes "
            "those of the search space"
        )
        return
    points = math.prod(len(values) for values in space.values())
    if points > _MOST_POINTS:
        sizes = " x ".join(str(len(values)) for values in space.values())
        yield (
            f"hydra/sweeper/sampler=grid has {sizes} = {points} points, more than {_MOST_POINTS} "
            "that it could list; give larger steps, or choose hydra/sweeper/sampler=random"
        )


def refusal(
    make: Callable[..., object],
    made: type,
    keywords: Mapping[str, Any],
    where: str,
    error: Exception,
) -> str:
    """Name the keywords without one of which ``make`` would not have raised ``error``."""
    text = " ".join(str(error).split()) or type(error).__name__
    blamed = []
    for key, parameter in inspect.signature(made).parameters.items():
        default = parameter.default
        if default is parameter.empty or keywords.get(key, default) == default:
            continue
        with suppress(Exception):
            make(**{**keywords, key: default})
            blamed.append((key, shown(keywords[key]), shown(default)))
    if not blamed:
        return f"{where} is refused by {made.__name__}: {text}"
    given = ", ".join(f"{where}.{key}={value}" for key, value, _ in blamed)
    way_out = " or ".join(f"{where}.{key}={default}" for key, _, default in blamed)
    return f"{given} is refused by {made.__name__}: {text}; the default is {way_out}"
