"""The Optuna study: opened, continued, put aside."""

from collections.abc import Container, Mapping, Sequence
from pathlib import Path

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from sweeper.errors import ConfigError, SweeperError
from sweeper.search.attributes import EXHAUSTED, FINGERPRINT, FOLDER, STUDY_ID
from sweeper.search.stores.exclusive import Store
from sweeper.study_files.study_paths import StudyPaths

_WAYS_OUT = (
    "to put that study aside and begin again: hydra.sweeper.resume=false; "
    "to keep both: hydra.sweeper.study_name=<name>"
)


class Study(optuna.Study):
    """A study whose sampler is given the trials that ran out of memory, and that remembers a stop.

    Samplers read complete and pruned trials only, so a constraint on a failed one would never be
    seen. To them (and to them alone) such a trial is a pruned one that breaks a constraint.
    Hyperband makes studies of its own for its brackets; there the constraint is only recorded.
    """

    def __init__(self, name: str, store: Store, sampler: BaseSampler, pruner: BasePruner) -> None:
        super().__init__(name, store.storage, sampler, pruner)
        self._oom: dict[int, FrozenTrial] = {}
        self.exhausted = bool(self.user_attrs.get(EXHAUSTED))
        """Whether the sampler has nothing left to propose (grid, bruteforce)."""

    def stop(self) -> None:
        """Called by the sampler when there is nothing left."""
        self.exhausted = True
        self.set_user_attr(EXHAUSTED, True)

    def learn_oom(self, trial: FrozenTrial) -> None:
        """Let the sampler count ``trial`` as one that breaks a constraint."""
        self._oom[trial.number] = optuna.trial.create_trial(
            state=TrialState.PRUNED,
            params=trial.params,
            distributions=trial.distributions,
            system_attrs=trial.system_attrs,
        )

    def _get_trials(
        self,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
        use_cache: bool = False,
    ) -> list[FrozenTrial]:
        if not self._oom or states is None:
            return super()._get_trials(deepcopy, states, use_cache)
        trials = super()._get_trials(deepcopy, None, use_cache)
        shown = [self._oom.get(trial.number, trial) for trial in trials]
        return [trial for trial in shown if trial.state in states]


def open_study(
    name: str, store: Store, directions: Sequence[str], sampler: BaseSampler, pruner: BasePruner
) -> Study:
    """Create study ``name`` or continue it.

    Raises:
        ConfigError: it has other directions.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    optuna.create_study(
        study_name=name,
        storage=store.storage,
        directions=[StudyDirection[direction.upper()] for direction in directions],
        load_if_exists=True,
    )
    study = Study(name, store, sampler, pruner)
    known = [direction.name.lower() for direction in study.directions]
    if known != list(directions):
        raise ConfigError(
            [
                f"hydra.sweeper.direction is {', '.join(directions)}, but study {name} has "
                f"{', '.join(known)}",
                _WAYS_OUT,
            ]
        )
    return study


def find_study(name: str, store: Store) -> Study | None:
    """Study ``name``, or None where there is none yet."""
    try:
        return Study(name, store, optuna.samplers.RandomSampler(), optuna.pruners.NopPruner())
    except KeyError:
        return None


def remove_empty(study: optuna.Study, store: Store) -> str | None:
    """Forget ``study`` where it has no trial: another recipe may take its name.

    One in a shared store stays: another controller may be about to begin its first trial.

    Returns:
        Its :data:`STUDY_ID`, for the study that takes its place: an application's hooks may have
        records under it, such as a run.
    """
    known: str | None = None
    if not store.shared and not study.get_trials(deepcopy=False):
        known = study.user_attrs.get(STUDY_ID)
        optuna.delete_study(study_name=study.study_name, storage=store.storage)
    return known


def check_fingerprint(study: optuna.Study, now: Mapping[str, str]) -> None:
    """Refuse to continue a study that was begun with another recipe or search space.

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
        raise ConfigError([*faults, _WAYS_OUT])


def put_aside(study: optuna.Study, store: Store, folder: Path) -> str:
    """Rename ``study`` to the first free ``<name>-<n>``, its trial folders with it.

    Returns the new name. The folders go to ``archive/<new name>/`` in ``folder``.

    Raises:
        SweeperError: another controller runs trials of it.
    """
    if store.shared:
        store.fail_stale(study)
        running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        if running:
            raise SweeperError(
                f"study {study.study_name} cannot be put aside: {len(running)} of its trials run "
                "under another controller; end it, or choose hydra.sweeper.study_name=<name>"
            )
    names = set(optuna.get_all_study_names(store.storage))
    count = 1
    while f"{study.study_name}-{count}" in names:
        count += 1
    name = f"{study.study_name}-{count}"
    optuna.copy_study(
        from_study_name=study.study_name,
        from_storage=store.storage,
        to_storage=store.storage,
        to_study_name=name,
    )
    archive = StudyPaths(folder).archive(name)
    copied = optuna.load_study(study_name=name, storage=store.storage)
    copied.set_user_attr(FOLDER, str(archive))
    moved = [trial.user_attrs.get(FOLDER) for trial in study.get_trials(deepcopy=False)]
    for entry in [*moved, *StudyPaths(folder).written_by_a_study]:
        source = folder / entry if entry else folder
        # an absolute entry is a folder elsewhere, which no trial of a new study will take
        if source.is_relative_to(folder) and source != folder and source.exists():
            target = archive / source.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            source.rename(target)
    optuna.delete_study(study_name=study.study_name, storage=store.storage)
    return name
