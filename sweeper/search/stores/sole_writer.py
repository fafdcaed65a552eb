"""A database that nobody else writes to: what was read once is read again where it was changed.

Optuna's own cache reads all trials that run, with all that they reported, whenever somebody looks
at the study: some 0.25 s for 500 trials, several times a trial, and at each report where a pruner
is used. Here a look at a study costs what was written since the last one.
"""

import copy
import threading
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState


@dataclass
class _Known:
    """The trials of a study by number, and the ids of those that were written since."""

    trials: list[FrozenTrial]
    written: set[int] = field(default_factory=set)


class SoleWriter(BaseStorage):
    """Passes all on to ``kept``, and remembers its trials; used by several threads.

    Trials that :meth:`get_all_trials` returns without ``deepcopy`` are shared: they are read only.
    """

    def __init__(self, kept: BaseStorage) -> None:
        self._kept = kept
        self._known: dict[int, _Known] = {}
        self._study_of: dict[int, int] = {}
        self._number_of: dict[int, int] = {}
        self._lock = threading.RLock()

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Add a trial; its id."""
        with self._lock:  # so that trials are found here in the order of their numbers
            trial_id = self._kept.create_new_trial(study_id, template_trial)
            self._study_of[trial_id] = study_id
            self._written(trial_id)
        return trial_id

    def set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
    ) -> None:
        """Keep a parameter."""
        self._kept.set_trial_param(trial_id, param_name, param_value_internal, distribution)
        self._written(trial_id)

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """Keep a state; whether it was taken."""
        taken = self._kept.set_trial_state_values(trial_id, state, values)
        self._written(trial_id)
        return taken

    def set_trial_intermediate_value(
        self, trial_id: int, step: int, intermediate_value: float
    ) -> None:
        """Keep a report."""
        self._kept.set_trial_intermediate_value(trial_id, step, intermediate_value)
        self._written(trial_id)

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Keep an attribute."""
        self._kept.set_trial_user_attr(trial_id, key, value)
        self._written(trial_id)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Keep an attribute of Optuna's."""
        self._kept.set_trial_system_attr(trial_id, key, value)
        self._written(trial_id)

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """A trial, which is the caller's own while it runs."""
        with self._lock:
            study_id = self._study_of.get(trial_id)
            if study_id is None:
                return self._kept.get_trial(trial_id)
            trial = self._up_to_date(study_id)[self._number_of[trial_id]]
        return trial if trial.state.is_finished() else _own(trial)

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """The trials of a study in the order of their numbers."""
        with self._lock:
            trials = self._up_to_date(study_id)
            shown = [t for t in trials if t.state in states] if states is not None else [*trials]
        return copy.deepcopy(shown) if deepcopy else shown

    def _written(self, trial_id: int) -> None:
        """Remember that ``trial_id`` was written; called after that."""
        with self._lock:
            study_id = self._study_of.get(trial_id)
            if study_id in self._known:
                self._known[study_id].written.add(trial_id)

    def _up_to_date(self, study_id: int) -> list[FrozenTrial]:
        """The trials of a study by number; the lock is held."""
        known = self._known.get(study_id)
        if known is None:
            known = _Known(self._kept.get_all_trials(study_id, deepcopy=False))
            self._known[study_id] = known
            for trial in known.trials:
                self._place(study_id, trial)
        for trial_id in sorted(known.written):
            trial = self._kept.get_trial(trial_id)
            known.written.discard(trial_id)
            self._place(study_id, trial)
            known.trials[trial.number : trial.number + 1] = [trial]
        return known.trials

    def _place(self, study_id: int, trial: FrozenTrial) -> None:
        self._study_of[trial._trial_id] = study_id
        self._number_of[trial._trial_id] = trial.number

    def delete_study(self, study_id: int) -> None:
        """Remove a study."""
        with self._lock:
            self._known.pop(study_id, None)
            self._kept.delete_study(study_id)

    def create_new_study(
        self, directions: Sequence[StudyDirection], study_name: str | None = None
    ) -> int:
        """Add a study; its id."""
        return self._kept.create_new_study(directions, study_name)

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """Keep an attribute of a study."""
        self._kept.set_study_user_attr(study_id, key, value)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """Keep an attribute of a study, of Optuna's."""
        self._kept.set_study_system_attr(study_id, key, value)

    def get_study_id_from_name(self, study_name: str) -> int:
        """The id of a study."""
        return self._kept.get_study_id_from_name(study_name)

    def get_study_name_from_id(self, study_id: int) -> str:
        """The name of a study."""
        return self._kept.get_study_name_from_id(study_id)

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        """The directions of a study."""
        return self._kept.get_study_directions(study_id)

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """The attributes of a study."""
        return self._kept.get_study_user_attrs(study_id)

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """The attributes of a study, of Optuna's."""
        return self._kept.get_study_system_attrs(study_id)

    def get_all_studies(self) -> list[Any]:
        """All studies."""
        return self._kept.get_all_studies()

    def remove_session(self) -> None:
        """Close this thread's connection."""
        self._kept.remove_session()


def _own(trial: FrozenTrial) -> FrozenTrial:
    """A copy that its thread may change, as Optuna's trials do; others read the shared one."""
    made = copy.copy(trial)
    made.params, made.distributions = dict(trial.params), dict(trial.distributions)
    made.user_attrs, made.system_attrs = dict(trial.user_attrs), dict(trial.system_attrs)
    made.intermediate_values = dict(trial.intermediate_values)
    return made
