"""The files of what MLflow is to get of a run."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class MlflowPaths:
    """What MLflow is to get of one run, and how far it got it: ``mlflow/`` in the run's folder."""

    folder: Path

    @property
    def journal(self) -> Path:
        return self.folder / "journal.jsonl"

    @property
    def delivered(self) -> Path:
        return self.folder / "delivered.json"

    @property
    def model(self) -> Path:
        """The model as MLflow keeps models, until it is delivered."""
        return self.folder / "model"

    @staticmethod
    def below(folder: Path) -> "list[MlflowPaths]":
        """All that there are below ``folder``, those of a study before those of its trials."""
        found = [path.parent for path in folder.rglob("mlflow/journal.jsonl")]
        return [MlflowPaths(one) for one in sorted(found, key=lambda one: (len(one.parts), one))]
