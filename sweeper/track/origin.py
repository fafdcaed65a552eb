"""Where a run was started: what MLflow's own ``start_run`` records and its client leaves out."""

import shutil
from pathlib import Path

_PROGRAM = "python -m sweeper"


def origin_tags() -> dict[str, str]:
    """MLflow's tags of the program and, inside a git checkout, of its last commit.

    The checkout is that of the working folder, where recipes of one's own lie. Without git, outside
    a checkout or before its first commit there is no such tag.
    """
    tags = {"mlflow.source.name": _PROGRAM, "mlflow.source.type": "LOCAL"}
    if shutil.which("git") is not None:  # else MLflow warns on the screen
        from mlflow.utils.git_utils import get_git_commit

        commit = get_git_commit(str(Path.cwd()))
        if commit is not None:
            tags["mlflow.source.git.commit"] = commit
    return tags
