"""The Optuna study: opened, continued, read back."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from sweeper.errors import ConfigError
from sweeper.paths import sqlite_file
from sweeper.records import State, StudySummary, TrialRow

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

_STATES = {
    TrialState.COMPLETE: State.COMPLETE,
    TrialState.PRUNED: State.PRUNED,
    TrialState.FAIL: State.FAILED,
}
REASON = "reason"
"""User attribute of a trial: why it was pruned or failed."""
FOLDER = "folder"
"""User attribute of a trial: its folder, below the study's."""
LOG_TAIL = "log_tail"
"""User attribute of a trial that failed: the end of its log."""
INTERRUPTED = "interrupted"
"""User attribute of a study: numbers of trials left unfinished, which do not count."""
FINGERPRINT = "fingerprint"
"""User attribute of a study: what all its trials have in common, by key."""
RUN_ID = "run_id"
"""User attribute of a study: the tracking run that :class:`StudyHooks` opened for it."""


def open_study(
    name: str | None, storage: str | None, direction: str, sampler: "BaseSampler"
) -> optuna.Study:
    """Create study ``name`` or continue it; ``storage`` None keeps it in memory."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    file = sqlite_file(storage) if storage else None
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
    return optuna.create_study(
        study_name=name,
        storage=storage,
        direction=direction,  # type: ignore[arg-type]
        sampler=sampler,
        load_if_exists=True,
    )


def build_sampler(config: Mapping[str, Any], n_known: int) -> "BaseSampler":
    """Instantiate ``hydra.sweeper.sampler``.

    A seeded sampler that continues a study would propose its first points again, so the seed
    moves on with the number of trials that are already known.
    """
    from hydra.utils import instantiate

    settings = dict(config)
    if settings.get("seed") is not None:
        settings["seed"] += n_known
    sampler: BaseSampler = instantiate(settings)
    return sampler


def count_known(name: str | None, storage: str | None) -> int:
    """Number of trials that study ``name`` has already, 0 where there is none."""
    if name is None or storage is None:
        return 0
    file = sqlite_file(storage)
    if file and not file.exists():
        return 0
    try:
        return len(optuna.load_study(study_name=name, storage=storage).get_trials(deepcopy=False))
    except KeyError:
        return 0


def check_fingerprint(study: optuna.Study, now: Mapping[str, str]) -> None:
    """Refuse to go on with a study that was begun with another recipe or search space.

    ``now`` says by key what the trials would have in common. Results of two recipes in one table
    would compare what is not alike, and a sampler would learn from both.

    Raises:
        ConfigError: naming each key that differs.
    """
    then = study.user_attrs.get(FINGERPRINT)
    if then is None:
        study.set_user_attr(FINGERPRINT, dict(now))
        return
    faults = [
        f"{key} is {now.get(key, 'absent')}, but the trials of study {study.study_name} have "
        f"{then.get(key, 'none')}"
        for key in sorted(now.keys() | then.keys())
        if now.get(key) != then.get(key)
    ]
    if faults:
        raise ConfigError(
            [*faults, "to keep that study and start another: hydra.sweeper.study_name=<name>"]
        )


def close_interrupted(study: optuna.Study) -> list[int]:
    """Fail the trials that a dead controller left running, and queue their parameters again.

    Left alone they repel the sampler and look alive for ever.
    """
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    for trial in running:
        study.tell(trial.number, state=TrialState.FAIL)
        requeue(study, trial.number, trial.params)
    return [trial.number for trial in running]


def requeue(study: optuna.Study, number: int, params: Mapping[str, Any]) -> None:
    """Let trial ``number``, which was interrupted, not count, and try its parameters next."""
    study.set_user_attr(INTERRUPTED, [*study.user_attrs.get(INTERRUPTED, []), number])
    if params:
        study.enqueue_trial(dict(params))


def rows(study: optuna.Study, folder: Path) -> tuple[TrialRow, ...]:
    """Every finished trial that counts, by number; ``folder`` is the study's."""
    finished = study.get_trials(deepcopy=False, states=tuple(_STATES))
    interrupted = set(study.user_attrs.get(INTERRUPTED, []))
    return tuple(_row(trial, folder) for trial in finished if trial.number not in interrupted)


def _row(trial: FrozenTrial, folder: Path) -> TrialRow:
    state = _STATES[trial.state]
    return TrialRow(
        number=trial.number,
        state=state,
        value=trial.value if state is State.COMPLETE else None,
        seconds=trial.duration.total_seconds() if trial.duration else 0.0,
        params=trial.params,
        folder=folder / trial.user_attrs.get(FOLDER, ""),
        reason=trial.user_attrs.get(REASON, ""),
    )


def summarize(study: optuna.Study, folder: Path) -> StudySummary:
    """The study as it stands; its best trial is the first of those with the best value."""
    table = rows(study, folder)
    maximize = study.direction == optuna.study.StudyDirection.MAXIMIZE
    complete = [(row.value, row) for row in table if row.value is not None]
    best = None
    if complete:
        pick = max if maximize else min
        best = pick(complete, key=lambda pair: pair[0])[1]
    return StudySummary(study.study_name, folder, maximize, table, best)
