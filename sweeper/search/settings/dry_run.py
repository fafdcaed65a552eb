"""Sampler and pruner at work on a made-up study, before the true one exists.

Optuna takes nearly any keyword, and fails on a wrong one when it first needs it, such as after ten
trials, or computes for ever. So both work here for a moment, in a process that may be given up:
suggestions in the same search space, and decisions on made-up reports.
"""

import contextlib
import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from sweeper.errors import ConfigError
from sweeper.search.settings.defaults import PRUNERS, SAMPLERS
from sweeper.search.settings.synthetic_study import Config, attempt
from sweeper.search.space.search_space import SearchSpace
from sweeper.search.space.syntax import shown

_IMPORTS = {
    "CmaEsSampler": "cmaes",
    "GPSampler": "torch",
    "QMCSampler": "scipy.stats",
    "WilcoxonPruner": "scipy.stats",
}
"""What Optuna imports at the first suggestion or decision."""
_OF_THE_PERSON = ("constraints_func",)
"""Keywords that are the person's own functions of true trials."""


@dataclass(frozen=True)
class _Subject:
    """``hydra.sweeper.sampler`` or ``.pruner``; ``default`` is what an option of it begins with."""

    where: str
    config: Config
    default: Config

    @property
    def changed(self) -> dict[str, Any]:
        known = {**self.default, "seed": self.config.get("seed")}
        return {key: value for key, value in self.config.items() if value != known.get(key)}

    def with_only(self, key: str) -> Config:
        return {**self.default, key: self.config[key]}

    def without(self, key: str) -> Config:
        return {**self.config, key: self.default.get(key)}


def dry_run(
    sampler: Config, pruner: Config | None, space: SearchSpace, directions: Sequence[str]
) -> None:
    """Let ``sampler`` and ``pruner`` work for a moment on ``space``.

    Classes that are not Optuna's are left alone: what they do with a study is theirs to know.

    Raises:
        ConfigError: naming each keyword with which they fail, or never end.
    """
    for config in (sampler, pruner or {}):  # else each attempt would import it anew
        module = _IMPORTS.get(str(config.get("_target_")).rpartition(".")[2])
        with contextlib.suppress(ImportError):
            importlib.import_module(module or "optuna")
    known = replace(space, compose=cache(space.compose))
    faults: list[str] = []
    chosen = _subject("hydra.sweeper.sampler", sampler, SAMPLERS)
    if chosen:
        faults += _faults(chosen, lambda config: attempt(config, None, known, directions))
    judge = _subject("hydra.sweeper.pruner", pruner, PRUNERS)
    if judge and len(directions) == 1:
        plain = SAMPLERS["random"]
        faults += _faults(judge, lambda config: attempt(plain, config, known, directions))
    if faults:
        raise ConfigError(faults)


def _subject(where: str, config: Config | None, group: Mapping[str, Config]) -> _Subject | None:
    for default in group.values():
        if config is not None and config.get("_target_") == default["_target_"]:
            own = {key: value for key, value in config.items() if key not in _OF_THE_PERSON}
            # what has to be set has no default to fall back on
            set_by_person = {key: own.get(key) for key, value in default.items() if value == "???"}
            return _Subject(where, own, {**default, **set_by_person})
    return None


def _faults(subject: _Subject, attempted: Callable[[Config], str | None]) -> Iterator[str]:
    found = attempted(subject.config)
    if found is None:
        return
    made = str(subject.config["_target_"]).rpartition(".")[2]
    blamed: dict[str, str | None] = {}
    if subject.changed and attempted(subject.default) is None:
        alone = len(subject.changed) == 1
        blamed = {
            key: found if alone else attempted(subject.with_only(key)) for key in subject.changed
        }
    if not any(blamed.values()):  # they fail together only, or one of them has to be set
        blamed = {key: found for key in subject.changed if attempted(subject.without(key)) is None}
    for key, reason in blamed.items():
        if reason:
            yield (
                f"{subject.where}.{key} must be a value with which {made} works, got "
                f"{shown(subject.config[key])} ({reason}); set {subject.where}.{key}="
                f"{shown(subject.default.get(key))}, its default"
            )
    if not any(blamed.values()):
        given = ", ".join(f"{key}={shown(value)}" for key, value in subject.changed.items())
        beside = f" with {given}" if given else ""
        yield f"{subject.where}: {made}{beside} cannot search this space: {found}"
