"""Where a run was started: what MLflow's own ``start_run`` records and its client leaves out."""

import functools
import subprocess
from collections.abc import Mapping
from pathlib import Path

_PROGRAM = "python -m sweeper"
_GIT_SECONDS = 10
"""More than a slow network drive takes to say what its last commit is."""


def origin_tags() -> dict[str, str]:
    """MLflow's tags of the program and, inside a git checkout, of its last commit.

    The checkout is that of the working folder, where recipes of one's own lie, as it was when this
    process asked first. ``mlflow.source.git.dirty`` says whether its files had changed since.
    Without git, outside a checkout or before its first commit there are no such tags.
    """
    program = {"mlflow.source.name": _PROGRAM, "mlflow.source.type": "LOCAL"}
    try:
        folder = str(Path.cwd())
    except OSError:  # it was deleted
        return program
    return {**program, **_checkout_tags(folder)}


@functools.cache
def _checkout_tags(folder: str) -> Mapping[str, str]:
    tags = {}
    try:
        tags["mlflow.source.git.commit"] = _git(folder, "rev-parse", "--verify", "--quiet", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
        tags["mlflow.source.git.dirty"] = "true" if changed else "false"
    except (OSError, subprocess.SubprocessError):
        pass
    return tags


def _git(folder: str, *command: str) -> str:
    # git itself: MLflow's helper imports GitPython, 60 modules, to run the same command
    asked = subprocess.run(
        ["git", "--no-optional-locks", *command],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=_GIT_SECONDS,
        check=True,
    )
    return asked.stdout.strip()
