"""Samplers that model all trials do so of a bounded number, so that a proposal's cost is bounded.

Optuna's TPE reads each trial of the study for each proposal, and a Gaussian process takes the cube
of their number. In a study of more than ``SEEN`` trials they are given the best and the latest: the
density of good values is made of TPE's 25 best at most in any case, and in its other density a
trial's weight falls with its age (``default_gamma`` and ``default_weights`` of Optuna).
"""

import heapq
from collections.abc import Container, Sequence
from itertools import islice
from typing import Any, cast

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import StudyDirection
from optuna.study._multi_objective import _get_pareto_front_trials_by_trials
from optuna.trial import FrozenTrial, TrialState

SEEN = 1000
"""Most trials that a proposal is modelled on, without those that run."""
BEST = 100
"""How many of them are the best ones. Of several objectives it is the Pareto front instead."""


class Window:
    """The best and the latest trials of a study, of which each is looked at once when it ended."""

    def __init__(self, directions: Sequence[StudyDirection]) -> None:
        self._directions = directions
        self._best: list[FrozenTrial] = []
        self._looked = 0
        self._unfinished: list[int] = []

    def of(self, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """Those of a study's ``trials`` (all, in order) that are shown; all that run are."""
        looked, self._looked = self._looked, len(trials)
        new = [trials[number] for number in (*self._unfinished, *range(looked, len(trials)))]
        self._unfinished = [trial.number for trial in new if not trial.state.is_finished()]
        complete = [trial for trial in new if trial.state is TrialState.COMPLETE]
        if complete:
            self._best = self._best_of(self._best + complete)
        ended = (trial for trial in reversed(trials) if trial.state.is_finished())
        shown = {trial.number for trial in (*self._best, *islice(ended, SEEN - BEST))}
        return [trials[number] for number in sorted(shown.union(self._unfinished))]

    def _best_of(self, complete: list[FrozenTrial]) -> list[FrozenTrial]:
        if len(self._directions) > 1:
            return _get_pareto_front_trials_by_trials(complete, self._directions)
        sign = -1 if self._directions[0] is StudyDirection.MAXIMIZE else 1
        # the number decides between equal values, so that a resumed study is shown the same
        return heapq.nsmallest(
            BEST, complete, key=lambda trial: (sign * trial.values[0], trial.number)
        )


class _Shown:
    """What a sampler uses of ``study``, with the trials of its window."""

    def __init__(self, study: optuna.Study, windows: dict[int, Window]) -> None:
        self._study = study
        self._window = windows.setdefault(study._study_id, Window(study.directions))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    def _get_trials(
        self,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
        use_cache: bool = False,
    ) -> list[FrozenTrial]:
        # never a cached list: the window has looked at what is newer
        trials = self._study._get_trials(deepcopy, tuple(TrialState), use_cache=False)
        shown = self._window.of(trials) if len(trials) > SEEN else trials
        return shown if states is None else [trial for trial in shown if trial.state in states]


class Windowed(BaseSampler):
    """Mixed into a sampler that reads all trials of the study for a proposal."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._windows: dict[int, Window] = {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        shown = cast(optuna.Study, _Shown(study, self._windows))
        return super().sample_relative(shown, trial, search_space)  # type: ignore[safe-super]

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        shown = cast(optuna.Study, _Shown(study, self._windows))
        return super().sample_independent(shown, trial, param_name, param_distribution)  # type: ignore[safe-super]
