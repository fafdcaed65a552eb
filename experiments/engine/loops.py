"""Two loops that run the same no-op objective: Optuna's ``study.optimize`` and the engine's slots.

Each trial asks TPE for two floats and makes ten reports. All trials report the same values, so that
a pruner is asked after each of them and never stops one: with and without it the work is the same.
"""

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import optuna
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.samplers import TPESampler
from optuna.storages import BaseStorage
from rich.console import Console

from sweeper.display.interface import Outline
from sweeper.display.progress import open_progress
from sweeper.execute.executor import Channel, Placement
from sweeper.execute.inline import InlineExecutor
from sweeper.records import EpochReport, TrialSpec, Value
from sweeper.search.hooks import StudyHooks
from sweeper.search.running.slots import Slots
from sweeper.search.session import Session
from sweeper.search.space.search_space import SearchSpace, parse_space
from sweeper.search.status import StudyStatus
from sweeper.search.stopping import Stopping, StopSignal
from sweeper.search.stores.exclusive import Store
from sweeper.search.study import open_study
from sweeper.search.trials.compose import Composer
from sweeper.search.trials.job import TrialJob
from sweeper.search.trials.trial_plan import TrialPlan

REPORTS = 10

Advance = Callable[[int], None]
"""Runs so many more trials of a study."""


def optuna_loop(storage: BaseStorage, pruning: bool) -> Advance:
    """``study.optimize``, which asks whether to prune after each report where ``pruning``."""
    study = optuna.create_study(
        storage=storage, sampler=TPESampler(seed=0), pruner=_pruner(pruning)
    )

    def objective(trial: optuna.Trial) -> float:
        x, y = trial.suggest_float("x", 0, 1), trial.suggest_float("y", 0, 1)
        for step in range(REPORTS):
            trial.report(-step, step)
            if pruning and trial.should_prune():
                raise optuna.TrialPruned
        return _value(x, y)

    return lambda count: study.optimize(objective, n_trials=count)


def engine_loop(store: Store, pruning: bool, folder: Path) -> Advance:
    """The engine with one slot and inline work; Hydra composes nothing and no folder is made.

    It keeps what a sweep keeps (folder of each trial, status, ranking), and says a line for each
    event to nobody.
    """
    study = open_study("engine", store, ("minimize",), TPESampler(seed=0), _pruner(pruning))
    composer = _Composed(folder)
    space = parse_space(
        OverridesParser.create(),
        {"x": "interval(0.0, 1.0)", "y": "interval(0.0, 1.0)"},
        [],
        lambda _overrides: composer.config,
    )
    stopping = Stopping(n_trials=0)
    slots = Slots(
        Session(
            study,
            store,
            StudyStatus(study, folder),
            InlineExecutor(),
            StudyHooks(),
            open_progress(Console(file=_Null()), Outline()),
            StopSignal(),
        ),
        TrialPlan(space, cast(Composer, composer), _job),
        stopping,
        [],
        [Placement()],
    )
    total = 0

    def advance(count: int) -> None:
        nonlocal total
        total += count
        stopping.n_trials = total
        slots.run()
        finished = len(study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.COMPLETE]))
        if finished != total:
            raise RuntimeError(f"{finished} of {total} trials are complete")

    return advance


class _Null(io.StringIO):
    """A screen that nobody sees."""

    def write(self, text: str) -> int:
        return len(text)


class _Composed:
    """Stands where the engine has its composer: the same configuration for every trial."""

    def __init__(self, folder: Path) -> None:
        self.config = OmegaConf.create(
            {"hydra": {"job": {"num": 0, "id": "0"}, "sweep": {"dir": str(folder), "subdir": "0"}}}
        )

    def trial(self, _space: SearchSpace, _params: Mapping[str, Value]) -> DictConfig:
        return self.config


def _job(spec: TrialSpec, _config: DictConfig) -> TrialJob:
    def work(channel: Channel) -> tuple[float, ...]:
        for step in range(REPORTS):
            if channel.report(EpochReport(step, -step)).stop:
                raise RuntimeError(f"trial {spec.number} was stopped; nothing should stop one")
        params: Any = spec.params
        return (_value(params["x"], params["y"]),)

    return cast(TrialJob, work)


def _pruner(pruning: bool) -> BasePruner:
    return MedianPruner() if pruning else NopPruner()


def _value(x: float, y: float) -> float:
    return (x - 0.5) ** 2 + (y - 0.5) ** 2
