"""``hydra.sweeper.sampler`` and ``hydra.sweeper.pruner`` as objects of Optuna.

Their nodes are open, so that a keyword that Optuna does not know is told here with those that it
knows, wherever it was written.
"""

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pkgutil import resolve_name
from typing import Any

from hydra.errors import HydraException
from hydra.utils import instantiate
from omegaconf import OmegaConf
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import BaseSampler, GridSampler

from sweeper.config import nearest
from sweeper.errors import ConfigError
from sweeper.records import Value
from sweeper.search.brackets import resumable
from sweeper.search.defaults import PRUNERS, SAMPLERS
from sweeper.search.proposals import reproducible

Grid = Callable[[], Mapping[str, Sequence[Value]]]

_PACKAGES: Mapping[str, Sequence[str]] = {"cmaes": ("cmaes",), "gp": ("torch", "scipy")}
"""What Optuna imports at the first sample of a sampler; too late for a message."""
_BY_NAME = {"independent_sampler": SAMPLERS, "wrapped_pruner": PRUNERS}
"""Keywords that take a sampler or pruner, and the groups whose names may stand for one."""


def build_sampler(config: Mapping[str, Any], grid: Grid) -> BaseSampler:
    """Make the sampler that ``config`` describes; see :mod:`sweeper.search.proposals`.

    ``grid`` gives each parameter's values; it is called for a grid only.

    Raises:
        ConfigError: with every fault of ``config``.
    """
    with _experimental_accepted():
        sampler: BaseSampler = _build(plain(config), "hydra.sweeper.sampler", BaseSampler, grid)
    return sampler


def build_pruner(config: Mapping[str, Any] | None) -> BasePruner:
    """Make the pruner that ``config`` describes; None never prunes.

    Raises:
        ConfigError: with every fault of ``config``.
    """
    if config is None:
        return NopPruner()
    with _experimental_accepted():
        pruner: BasePruner = _build(plain(config), "hydra.sweeper.pruner", BasePruner, dict)
    return pruner


def grid_size(sampler: BaseSampler) -> int | None:
    """Number of points of a grid, None for every other sampler."""
    return sampler._n_min_trials if isinstance(sampler, GridSampler) else None


def plain(config: Any, resolve: bool = True) -> Any:
    """``config`` without OmegaConf's containers; ``???`` stays as it stands."""
    if not OmegaConf.is_config(config):
        return config
    return OmegaConf.to_container(config, resolve=resolve)


@contextmanager
def _experimental_accepted() -> Iterator[None]:
    """Who chose a sampler need not hear that Optuna may change its keywords one day."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield


def _build(config: Any, where: str, base: type, grid: Grid) -> Any:
    made = _find(config, where, base)
    keywords = {str(key): value for key, value in config.items() if key != "_target_"}
    if issubclass(made, GridSampler) and keywords.get("search_space") is None:
        keywords["search_space"] = grid()
    faults = [*_missing_packages(config["_target_"], where)]
    faults += _keyword_faults(made, keywords, where)
    for key, value in keywords.items():
        try:
            keywords[key] = _nested(key, value, f"{where}.{key}")
        except ConfigError as error:
            faults += error.faults
    if faults:
        raise ConfigError(faults)
    sampler = issubclass(made, BaseSampler)
    chosen = reproducible(made, _seed(made, keywords)) if sampler else resumable(made)
    try:
        return chosen(**keywords)
    except (TypeError, ValueError) as error:
        raise ConfigError([f"{where} is refused by {made.__name__}: {error}"]) from None


def _find(config: Any, where: str, base: type) -> type:
    if not isinstance(config, Mapping):
        group = where.replace(".", "/")
        raise ConfigError(
            [f"{where} must be a group of keys, got {config!r}; choose with {group}=<name>"]
        )
    target = config.get("_target_")
    try:
        found = resolve_name(str(target))
    except Exception as error:  # whatever the module that it names raises on import
        fault = f"{where}._target_ must name a class, got {target!r}: {error}"
        raise ConfigError([fault]) from None
    if not (isinstance(found, type) and issubclass(found, base)):
        noun = base.__name__.removeprefix("Base").lower()
        raise ConfigError([f"{where}._target_ must name an Optuna {noun}, got {target!r}"])
    return found


def _missing_packages(target: str, where: str) -> Iterator[str]:
    for option, packages in _PACKAGES.items():
        missing = [name for name in packages if find_spec(name) is None]
        if target == SAMPLERS[option]["_target_"] and missing:
            place = where if where.count(".") > 2 else where.replace(".", "/")
            noun = "packages" if len(missing) > 1 else "package"
            yield (
                f"{place}={option} needs the {noun} {', '.join(missing)}; "
                f"pip install 'sweeper[{option}]'"
            )


def _keyword_faults(made: type, keywords: Mapping[str, Any], where: str) -> Iterator[str]:
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
    kinds = inspect.formatannotation(parameter.annotation).strip("'").split(" | ")
    if set(kinds) <= _KINDS.keys() and not any(type(value) in _KINDS[kind][1] for kind in kinds):
        wanted = " or ".join(_KINDS[kind][0] for kind in kinds)
        yield f"{where} must be {wanted}, got {value!r} ({type(value).__name__})"


def _nested(key: str, value: Any, where: str) -> Any:
    if key in _BY_NAME and isinstance(value, str):
        group = _BY_NAME[key]
        if value not in group:
            hint = nearest(value, group)
            raise ConfigError([f"{where} must be one of {', '.join(group)}, got {value!r}{hint}"])
        value = group[value]
    if not isinstance(value, Mapping) or "_target_" not in value:
        return value
    if key in _BY_NAME:
        base = BaseSampler if key == "independent_sampler" else BasePruner
        return _build(value, where, base, dict)
    try:
        return instantiate(dict(value), _convert_="all")
    except (HydraException, ImportError) as error:
        raise ConfigError([f"{where}: {' '.join(str(error).split())}"]) from None


def _seed(made: type, keywords: Mapping[str, Any]) -> int | None:
    """The seed of a sampler's proposals; Optuna's grid has one, 0, where none is set."""
    seed: int | None = keywords.get("seed")
    return 0 if seed is None and issubclass(made, GridSampler) else seed
