"""Where a run was started: what MLflow's own ``start_run`` records and its client leaves out."""

import contextlib
import subprocess

_PROGRAM = "python -m sweeper"
_GIT_SECONDS = 10
"""More than a slow network drive takes to say what its last commit is."""


def origin_tags() -> dict[str, str]:
    """MLflow's tags of the program and, inside a git checkout, of its last commit.

    The checkout is that of the working folder, where recipes of one's own lie. Without git, outside
    a checkout or before its first commit there is no such tag.
    """
    tags = {"mlflow.source.name": _PROGRAM, "mlflow.source.type": "LOCAL"}
    # git itself: MLflow's helper imports GitPython, 60 modules, to run the same command
    command = ["git", "rev-parse", "--verify", "--quiet", "HEAD"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        asked = subprocess.run(
            command, capture_output=True, text=True, timeout=_GIT_SECONDS, check=True
        )
        tags["mlflow.source.git.commit"] = asked.stdout.strip()
    return tags
