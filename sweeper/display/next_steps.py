"""What a person can do with a study, as commands for a shell."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from sweeper.display.wording import command
from sweeper.paths import shown_path


def next_steps(
    folder: Path, words: Sequence[str], mlflow: str, *, has_winner: bool
) -> Mapping[str, str]:
    """Commands by what they do, in the order in which they are wanted.

    Args:
        folder: of the study.
        words: the command line of its sweep; none where it is not known.
        mlflow: the command that opens MLflow's page, or its address; empty where it is not known.
        has_winner: whether the sweep has ended, and kept a model.
    """
    shown = str(shown_path(folder))
    study = shlex.quote(shown)
    steps = {"resume, or see the results again": command(words)} if words else {}
    if has_winner:
        again = ["--config-dir", shown, "--config-name", "best"]
        steps |= {
            "run the best recipe again, alone": command(again),
            "predict with the best model": f"sweeper predict {study} IMAGES",
            "judge it on other data": (
                f"sweeper evaluate {study} dataset=folder dataset.path=PHOTOS"
            ),
            "register it in MLflow": f"sweeper promote {study}",
            "export it": f"sweeper export {study} --format tflite",
            "serve it over HTTP": f"sweeper serve {study}",
        }
    steps["write this report again"] = f"sweeper report {study}"
    if mlflow:
        steps["compare runs in MLflow"] = mlflow
    return steps
