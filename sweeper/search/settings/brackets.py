"""Pruners whose decisions do not change when a study is resumed; see ``proposals.py``."""

import copy
from collections.abc import Mapping
from typing import cast

import optuna
from optuna.pruners import BasePruner, HyperbandPruner, SuccessiveHalvingPruner
from optuna.trial import FrozenTrial, TrialState

from sweeper.search.attributes import RETRY_OF
from sweeper.search.settings.proposals import proposals_of, trials_of


def _first_length(study: optuna.Study) -> int | None:
    """Last step of the trial that was complete first, None as long as none is."""
    ended = [
        (trial.datetime_complete, trial.number, trial.last_step)
        for trial in trials_of(study, TrialState.COMPLETE)
        if trial.last_step is not None and trial.datetime_complete is not None
    ]
    return min(ended)[2] if ended else None


class _SuccessiveHalving(SuccessiveHalvingPruner):
    """Optuna compares a trial with its own interrupted attempt, and forgets the first length."""

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        if self._min_resource is None:
            length = _first_length(study)
            if length is None:
                return False
            self._min_resource = max(length // 100, 1)
        return super().prune(cast(optuna.Study, _WithoutReplaced(study)), trial)


class _WithoutReplaced:
    """What a pruner uses of ``study``, without the trials that another one stands for."""

    def __init__(self, study: optuna.Study) -> None:
        self.direction = study.direction
        self._storage = study._storage
        self._study = study

    def get_trials(self, deepcopy: bool = True) -> list[FrozenTrial]:
        trials = self._study.get_trials(deepcopy=deepcopy)
        replaced = {trial.user_attrs.get(RETRY_OF) for trial in trials}
        return [trial for trial in trials if trial.number not in replaced]


class _Hyperband(HyperbandPruner):
    """Optuna deals out brackets by the trial's number, and forgets the first length."""

    def _try_initialization(self, study: optuna.Study) -> None:
        if self._max_resource == "auto":
            length = _first_length(study)
            if length is None:
                return
            self._max_resource = length + 1
        super()._try_initialization(study)

    def _get_bracket_id(self, study: optuna.Study, trial: FrozenTrial) -> int:
        if not self._pruners:
            self._try_initialization(study)
        proposals = proposals_of(study, trial.number)
        if trial.number in proposals.replaced:
            return -1  # in no bracket
        numbered = copy.copy(trial)
        numbered.number = proposals.numbers[trial.number]
        return super()._get_bracket_id(study, numbered)


_REPLACED: Mapping[type, type[BasePruner]] = {
    HyperbandPruner: _Hyperband,
    SuccessiveHalvingPruner: _SuccessiveHalving,
}


def resumable(made: type[BasePruner]) -> type[BasePruner]:
    """``made``, an Optuna pruner, so that it decides after a resume as it would have without."""
    return _REPLACED.get(made, made)
