"""What a study tries next without being asked: again what was lost, and starting points."""

from collections.abc import Callable, Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from sweeper.errors import ConfigError
from sweeper.search.attributes import ATTEMPTS, FOLDER, REASON, RETRY_OF, WARM_START

Accepts = Callable[[str, BaseDistribution], bool]
"""Whether a search space has a parameter of this name that may have this distribution too."""

_OF_THE_ATTEMPT = ("completed_rung_", "constraints:")
"""How the keys begin under which Optuna keeps how far a trial came, and by how much it failed."""


def requeue(
    study: optuna.Study, trial: FrozenTrial, attempts: Mapping[str, int] | None = None
) -> None:
    """Let the parameters of ``trial`` be tried again, by a trial that stands for it in the total.

    Done before the trial is closed, so that no moment exists at which a kill would lose it; and
    once, however often it is asked for.
    """
    trials = study.get_trials(deepcopy=False)
    if any(other.user_attrs.get(RETRY_OF) == trial.number for other in trials):
        return
    system: Mapping[str, Any] = trial.system_attrs
    # one whose folder is not known was interrupted while it was asked for: it is asked for again
    if attempts or FOLDER in trial.user_attrs:
        # what samplers wrote: a cell of a grid, a generation; not what it reached, or broke
        kept = {key: system[key] for key in system if not key.startswith(_OF_THE_ATTEMPT)}
        params = {**system.get("fixed_params", {}), **trial.params}
    else:
        kept, params = {}, system.get("fixed_params", {})
        # a grid has a cell for those, and none for one whose parameters are fixed
        if not params:
            kept = {key: system[key] for key in ("grid_id", "search_space") if key in system}
    fixed = {"fixed_params": params} if params else {}
    study.add_trial(
        optuna.create_trial(
            state=TrialState.WAITING,
            system_attrs={**kept, **fixed},
            user_attrs={
                RETRY_OF: trial.number,
                ATTEMPTS: dict(attempts or trial.user_attrs.get(ATTEMPTS, {})),
            },
        )
    )


def requeue_interrupted(study: optuna.Study, dead: bool) -> list[int]:
    """Try again what a controller left unfinished when it died; returns those trials' numbers.

    Args:
        study: the study.
        dead: whether no other controller lives, so that each running trial was left by a dead
            one. Left alone they repel the sampler and look alive for ever.
    """
    trials = study.get_trials(deepcopy=False)
    again = {trial.user_attrs.get(RETRY_OF) for trial in trials}
    left = []
    for trial in trials:
        running = dead and trial.state is TrialState.RUNNING
        lost = trial.state is TrialState.FAIL and REASON not in trial.user_attrs
        if (running or lost) and trial.number not in again:
            requeue(study, trial)
            left.append(trial.number)
        if running:
            study.tell(trial.number, state=TrialState.FAIL)
    return left


def warm_start(study: optuna.Study, source: optuna.Study, accepts: Accepts) -> int:
    """Let the sampler of a new ``study`` know the complete trials of ``source``.

    They belong to no recipe of this study: they do not count, are not ranked, and prune nobody
    (their reports are left behind). Only parameters that the search space ``accepts`` are taken.

    Returns the number of trials taken, 0 where the study has trials already.

    Raises:
        ConfigError: the studies have other directions, or no parameter in common.
    """
    if study.get_trials(deepcopy=False):
        return 0
    if source.directions != study.directions:
        raise ConfigError(
            [f"hydra.sweeper.warm_start: study {source.study_name} has other directions"]
        )
    taken = 0
    for trial in source.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        known = {key for key, values in trial.distributions.items() if accepts(key, values)}
        params = {key: value for key, value in trial.params.items() if key in known}
        if not params or WARM_START in trial.user_attrs:
            continue
        study.add_trial(
            optuna.create_trial(
                values=trial.values,
                params=params,
                distributions={key: trial.distributions[key] for key in params},
                user_attrs={WARM_START: f"{source.study_name}:{trial.number}"},
                system_attrs={
                    f"constraints:{key}": value for key, value in trial.constraints.items()
                },
            )
        )
        taken += 1
    if not taken:
        raise ConfigError(
            [
                f"hydra.sweeper.warm_start: study {source.study_name} has no complete trial with a "
                "parameter of this search space"
            ]
        )
    return taken


def enqueue_next(study: optuna.Study, points: list[dict[str, Any]]) -> None:
    """Queue the first of ``points`` that was not tried yet, unless something waits already.

    One at a time, so that what was interrupted goes first.
    """
    if not points or study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        return
    trials = study.get_trials(deepcopy=False)
    tried = [
        trial.system_attrs.get("fixed_params", trial.params)
        for trial in trials
        # what another study tried was not tried under this one's recipe
        if WARM_START not in trial.user_attrs
    ]
    while points:
        point = points.pop(0)
        if point not in tried:
            study.enqueue_trial(point)
            return
