"""Where the trials of a study are, also when it was moved or copied since it began."""

from pathlib import Path

import optuna

from sweeper.search.attributes import FOLDER


def base_of_trials(study: optuna.Study, folder: Path) -> Path:
    """The folder that those of trials are remembered relative to.

    It is where the study began, though a sweep may continue it from another ``folder``. Where that
    holds trials of the study, all of it was moved there, or copied: the copy leaves the original
    as it is.
    """
    began = Path(study.user_attrs.get(FOLDER, folder))
    if began == folder or not began.is_dir():
        return folder
    kept = (trial.user_attrs.get(FOLDER) for trial in study.get_trials(deepcopy=False))
    relative = (entry for entry in kept if entry and not Path(entry).is_absolute())
    return folder if any((folder / entry).is_dir() for entry in relative) else began
