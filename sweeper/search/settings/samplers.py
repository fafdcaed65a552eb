"""``hydra.sweeper.sampler`` and ``hydra.sweeper.pruner`` as objects of Optuna.

Their nodes are open, so that a keyword that Optuna does not know is reported here with those it
knows, wherever it was written.
"""

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
from sweeper.search.settings.brackets import resumable
from sweeper.search.settings.defaults import PRUNERS, SAMPLERS
from sweeper.search.settings.keywords import keyword_faults, refusal
from sweeper.search.settings.migration import without_peer_defaults
from sweeper.search.settings.proposals import reproducible

Grid = Callable[[], Mapping[str, Sequence[Value]]]

_OF_HYDRA = ("_target_", "_partial_", "_convert_", "_recursive_")
"""Keys that say how Hydra would make the object."""
_REMOVED = {"MOTPESampler": "tpe, which takes several objectives"}
"""Samplers that Optuna had once, and what to choose instead."""
_BY_NAME = {"independent_sampler": SAMPLERS, "wrapped_pruner": PRUNERS}
"""Keywords that take a sampler or pruner, and the groups whose names may stand for one."""


def build_sampler(config: Mapping[str, Any], grid: Grid) -> BaseSampler:
    """Make the sampler that ``config`` describes; see :mod:`sweeper.search.settings.proposals`.

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
    """Hide Optuna's warnings that keywords may change in later versions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield


def _build(config: Any, where: str, base: type, grid: Grid) -> Any:
    made = _find(config, where, base)
    keywords = {str(key): value for key, value in config.items() if key not in _OF_HYDRA}
    keywords = without_peer_defaults(_without_remains(made, config, keywords))
    if issubclass(made, GridSampler) and keywords.get("search_space") is None:
        keywords["search_space"] = grid()
    faults = list(keyword_faults(made, config["_target_"], keywords, where))
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
    except Exception as error:  # whatever a class has against its keywords
        raise ConfigError([refusal(chosen, made, keywords, where, error)]) from None


def _without_remains(
    made: type, config: Mapping[str, Any], keywords: Mapping[str, Any]
) -> dict[str, Any]:
    """``keywords`` without what another option left there, where ``_target_`` alone was replaced.

    Hydra puts a node that names a class over the option that the group has chosen, ``tpe`` where
    nothing was, and all keywords of that option stay in it. Of those that ``made`` does not take,
    each that still has the option's value was not written by the person; a null of it says nothing
    to a class that takes the keyword.
    """
    remains = [
        option
        for option in (*SAMPLERS.values(), *PRUNERS.values())
        if option["_target_"] != config["_target_"] and option.keys() <= config.keys()
    ]
    taken = inspect.signature(made).parameters
    return {
        key: value
        for key, value in keywords.items()
        if (key in taken and value is not None)
        or not any(key in option and option[key] == value for option in remains)
    }


def _find(config: Any, where: str, base: type) -> type:
    if not isinstance(config, Mapping):
        group = where.replace(".", "/")
        raise ConfigError(
            [f"{where} must be a group of keys, got {config!r}; choose with {group}=<name>"]
        )
    target = config.get("_target_")
    removed = _REMOVED.get(str(target).rpartition(".")[2])
    if removed:
        group = where.replace(".", "/")
        raise ConfigError([f"Optuna has no {target} any more; choose {group}={removed}"])
    try:
        found = resolve_name(str(target))
    except Exception as error:  # whatever the module that it names raises on import
        fault = f"{where}._target_ must name a class, got {target!r}: {error}"
        raise ConfigError([fault]) from None
    if not (isinstance(found, type) and issubclass(found, base)):
        noun = base.__name__.removeprefix("Base").lower()
        raise ConfigError([f"{where}._target_ must name an Optuna {noun}, got {target!r}"])
    return found


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
