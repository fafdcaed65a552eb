"""The number of a trial's job, and the folder that follows from it: each trial has its own."""

import os
from pathlib import Path

from omegaconf import DictConfig, open_dict, read_write

from sweeper.disk.writable import too_long
from sweeper.errors import ConfigError

_SUBDIR = "hydra.sweep.subdir"


def number_job(config: DictConfig, number: int) -> DictConfig:
    """Give the composed job its number, and fix the folder that follows from it.

    A ``hydra.sweep.subdir`` without the number is one folder for trials with the same parameters,
    or for all: ``-<number>`` is added to it then.

    Raises:
        ConfigError: it is no folder below that of the sweep, or has too long a name.
    """
    with read_write(config), open_dict(config):
        another, subdir = (_subdir(config, one) for one in (number + 1, number))
        if subdir == another:
            path = Path(subdir)
            subdir = str(path.with_name(f"{path.name}-{number}")) if path.name else str(number)
        # resolved here, where the application's resolvers are known; the trial's process may
        # not have them
        config.hydra.sweep.dir = str(config.hydra.sweep.dir)
        config.hydra.sweep.subdir = subdir
    start, *_ = Path(os.path.normpath(subdir)).parts or [os.curdir]
    if start in (os.sep, os.pardir, os.curdir):
        raise ConfigError(
            [
                f"{_SUBDIR}: {subdir} is no folder below that of the sweep; "
                "name one, as trials/${hydra.job.num}"
            ]
        )
    folder, files = folder_of(config), config.hydra.get("output_subdir")
    reasons = {_SUBDIR: too_long(folder)}
    if files is not None:
        reasons.setdefault("hydra.output_subdir", too_long(folder / str(files)))
    faults = [f"{key}: {reason}" for key, reason in reasons.items() if reason]
    if faults:
        raise ConfigError(faults[:1])
    return config


def folder_of(config: DictConfig) -> Path:
    """The folder of the job ``config``, which has its number."""
    return Path(config.hydra.sweep.dir).absolute() / str(config.hydra.sweep.subdir)


def _subdir(config: DictConfig, number: int) -> str:
    """What ``hydra.sweep.subdir`` is for this number, which stays the job's."""
    config.hydra.job.num = number
    config.hydra.job.id = str(number)
    return str(config.hydra.sweep.subdir)
