"""Proposals that follow from the seed and from what is known, however often a study was resumed.

A trial that is tried again has a number of its own. Proposals are counted without these: trial 1,
its retry 2 and trial 3 run the proposals 1, 1 and 2. Each proposal draws its random numbers anew,
from the seed and its number. Where Optuna's classes use the number of the trial, count for
themselves, or keep in memory what they have seen, the classes below and in ``brackets.py`` replace
them.
"""

import copy
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import (
    BaseSampler,
    BruteForceSampler,
    CmaEsSampler,
    GPSampler,
    GridSampler,
    QMCSampler,
    TPESampler,
)
from optuna.samplers._ga import BaseGASampler
from optuna.samplers._lazy_random_state import LazyRandomState
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from sweeper.search.attributes import REASON, RETRY_OF, WARM_START
from sweeper.search.settings.window import Windowed


@dataclass
class Proposals:
    """The proposals that the trials of a study run, of which each trial is looked at once."""

    numbers: list[int] = field(default_factory=list)
    """That of each trial."""
    replaced: set[int] = field(default_factory=set)
    """Trials that were tried again."""
    _count: int = 0

    def add(self, trials: Sequence[FrozenTrial]) -> None:
        """Look at those of a study's ``trials`` (all, in order) that are new."""
        for trial in trials[len(self.numbers) :]:
            earlier = trial.user_attrs.get(RETRY_OF)
            self.numbers.append(self._count if earlier is None else self.numbers[earlier])
            if earlier is not None:
                self.replaced.add(earlier)
            elif WARM_START not in trial.user_attrs:
                self._count += 1


_KNOWN: WeakKeyDictionary[BaseStorage, dict[int, Proposals]] = WeakKeyDictionary()
_LOCK = threading.Lock()


def proposals_of(study: optuna.Study, number: int) -> Proposals:
    """Those of a study, of trial ``number`` too; slots may ask at once."""
    with _LOCK:
        known = _KNOWN.setdefault(study._storage, {}).setdefault(study._study_id, Proposals())
        if number >= len(known.numbers):
            known.add(trials_of(study))
        return known


def trials_of(study: optuna.Study, *states: TrialState) -> list[FrozenTrial]:
    """All trials of a study, or those in ``states``, as the storage has them."""
    # from the storage: Hyperband hands over a study that shows one bracket only
    return study._storage.get_all_trials(study._study_id, deepcopy=False, states=states or None)


def _numbered(study: optuna.Study, trial: FrozenTrial) -> FrozenTrial:
    """``trial`` with the number of its proposal."""
    numbered = copy.copy(trial)
    numbered.number = proposals_of(study, trial.number).numbers[trial.number]
    return numbered


def reseed(sampler: BaseSampler, seed: int, number: int) -> None:
    """Let ``sampler`` draw what follows from ``seed`` for the proposal of this number."""
    (drawn,) = np.random.SeedSequence([seed, number]).generate_state(1)
    if isinstance(sampler, GPSampler):  # its last fit, where the next one would begin
        sampler._gprs_cache_list = sampler._constraints_gprs_cache_list = None
    for part in vars(sampler).values():
        if isinstance(part, LazyRandomState):
            part.rng.seed(int(drawn))
        elif isinstance(part, BaseSampler):
            reseed(part, seed, number)


class _Seeded(BaseSampler):
    """Mixed into a sampler that has a seed."""

    _seed_of_proposals: int

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        reseed(self, self._seed_of_proposals, _numbered(study, trial).number)
        super().before_trial(study, trial)


class _SeededGenetic(_Seeded, BaseGASampler):
    """Optuna selects parents once, and has them in another order from then on."""

    def get_parent_population(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:
        parents = super().get_parent_population(study, generation)
        return sorted(parents, key=lambda trial: trial.number)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        self.get_parent_population(study, self.get_trial_generation(study, trial))
        super().before_trial(study, trial)


class _CmaEs(CmaEsSampler):
    """Optuna adds the trial's number to the seed."""

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return super().sample_relative(study, _numbered(study, trial), search_space)


class _Grid(GridSampler):
    """Optuna takes the cell of the trial's number, as long as there are as many."""

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        super().before_trial(study, _numbered(study, trial))


class _Qmc(QMCSampler):
    """Optuna counts every trial that asks, those too that are tried again."""

    _next = 0

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        # the first trial shows what is searched, and has no place in the sequence
        self._next = max(0, _numbered(study, trial).number - 1)
        return super().sample_relative(study, trial, search_space)

    def _find_sample_id(
        self, study: optuna.Study, search_space: dict[str, BaseDistribution]
    ) -> int:
        return self._next


def _interrupted(trial: FrozenTrial) -> bool:
    return trial.state is TrialState.FAIL and REASON not in trial.user_attrs


class _BruteForce(BruteForceSampler):
    """Optuna takes what was interrupted for tried, even before it had its parameters."""

    @staticmethod
    def _populate_tree(tree: Any, trials: list[FrozenTrial], params: dict[str, Any]) -> None:
        # one without a number is that which ends now
        known = [trial for trial in trials if trial.number < 0 or not _interrupted(trial)]
        BruteForceSampler._populate_tree(tree, known, params)

    def after_trial(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        if state is not TrialState.FAIL or REASON in trial.user_attrs:
            super().after_trial(study, trial, state, values)


_REPLACED: Mapping[type, type] = {
    BruteForceSampler: _BruteForce,
    CmaEsSampler: _CmaEs,
    GridSampler: _Grid,
    QMCSampler: _Qmc,
}


def reproducible(made: type[BaseSampler], seed: int | None) -> type[BaseSampler]:
    """``made``, an Optuna sampler, as this module's docstring has it.

    Without a ``seed`` random numbers stay random; sequences and grids continue all the same.
    """
    base = _REPLACED.get(made, made)
    mixed: tuple[type, ...] = (base,)
    own: dict[str, Any] = {}
    if issubclass(made, (GPSampler, TPESampler)):
        mixed = (Windowed, *mixed)
    if seed is not None:
        mixed = (_SeededGenetic if issubclass(made, BaseGASampler) else _Seeded, *mixed)
        own["_seed_of_proposals"] = seed
    return type(made.__name__, mixed, own)
