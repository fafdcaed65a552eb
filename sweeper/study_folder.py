"""Every file of a study, of its trials, and of what MLflow is to get of them."""

from dataclasses import dataclass
from pathlib import Path

PAGE_MARK = "<!-- Written by sweeper"
"""How a page about a study begins: no file that begins otherwise is overwritten."""


@dataclass(frozen=True)
class StudyPaths:
    """Files of one study, under ``experiments/<study>/``."""

    folder: Path

    @property
    def results(self) -> Path:
        return self.folder / "optimization_results.yaml"

    @property
    def leaderboard(self) -> Path:
        return self.folder / "leaderboard.csv"

    @property
    def best_recipe(self) -> Path:
        return self.folder / "best.yaml"

    @property
    def winner(self) -> Path:
        return self.folder / "winner.yaml"

    @property
    def page(self) -> Path:
        """What explains the folder: README.md, or STUDY.md beside one that somebody else wrote."""
        readme = self.folder / "README.md"
        try:
            ours = readme.read_text(encoding="utf-8", errors="replace").startswith(PAGE_MARK)
        except FileNotFoundError:
            ours = True
        return readme if ours else self.folder / "STUDY.md"

    @property
    def report(self) -> Path:
        """All about the study for a person, in one file."""
        return self.folder / "report.html"

    @property
    def report_files(self) -> Path:
        """Pictures that the report holds."""
        return self.folder / "report"

    @property
    def data_report(self) -> Path:
        """What was found of the data."""
        return self.folder / "data"

    @property
    def report_log(self) -> Path:
        return self.folder / "logs" / "report.log"

    @property
    def master(self) -> Path:
        return self.folder / "multirun.yaml"

    @property
    def about(self) -> Path:
        """What the study is: name, id, objectives."""
        return self.folder / "study.json"

    @property
    def mlflow(self) -> "MlflowPaths":
        return MlflowPaths(self.folder / "mlflow")

    @property
    def trials(self) -> list[Path]:
        """Folders of the trials, in the order of their names."""
        return sorted(path for path in (self.folder / "trials").glob("*") if path.is_dir())

    @property
    def confirmed(self) -> Path:
        """What became of the best trials when they were run again."""
        return self.folder / "confirmed.json"

    @property
    def gain(self) -> Path:
        """What more trials could still gain."""
        return self.folder / "gain.json"

    def rerun(self, number: int, seed: int) -> Path:
        """Where a trial is run again with that seed."""
        return self.folder / "confirm" / f"{number:04d}-seed{seed}"

    @staticmethod
    def seed_of(rerun: Path) -> int:
        """The seed of a folder that :meth:`rerun` has named."""
        return int(rerun.name.rpartition("seed")[2])

    @property
    def reruns(self) -> list[Path]:
        """Folders of trials that were run again, in the order of their names."""
        return sorted(path for path in (self.folder / "confirm").glob("*") if path.is_dir())

    @property
    def server_log(self) -> Path:
        return self.folder / "logs" / "server.log"

    @property
    def prepare_log(self) -> Path:
        return self.folder / "logs" / "prepare.log"

    @property
    def winner_log(self) -> Path:
        return self.folder / "logs" / "winner.log"

    def derived(self, kind: str) -> Path:
        """Where a model lies that was made of the trials: ``models/<kind>/``."""
        return self.folder / "models" / kind

    def archive(self, name: str) -> Path:
        """Where the folders of a study go that is put aside as ``name``."""
        return self.folder / "archive" / name

    @property
    def written_by_a_study(self) -> tuple[str, ...]:
        """Files that tell of one study, beside the folders of its trials."""
        files = (
            self.results,
            self.leaderboard,
            self.best_recipe,
            self.winner,
            self.confirmed,
            self.gain,
            self.page,
            self.master,
            self.about,
            self.report,
            self.report_files,
            self.data_report,
            self.mlflow.folder,
        )
        return (*(file.name for file in files), "confirm", "logs", "models")


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


@dataclass(frozen=True)
class TrialPaths:
    """Files of one trial, under ``experiments/<study>/trials/<number>/``."""

    folder: Path

    @property
    def log(self) -> Path:
        return self.folder / "logs" / "trial.log"

    @property
    def plots(self) -> Path:
        return self.folder / "plots"

    @property
    def confusion_matrix(self) -> Path:
        return self.plots / "confusion_matrix.png"

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def overrides(self) -> Path:
        return self.folder / ".hydra" / "overrides.yaml"

    @property
    def hydra(self) -> Path:
        return self.folder / ".hydra" / "hydra.yaml"

    @property
    def model(self) -> Path:
        """The whole model, of the best trials alone."""
        return self.folder / "model.keras"

    @property
    def about(self) -> Path:
        """What the trial of a study is: its number and parameters, written when it starts."""
        return self.folder / "trial.json"

    @property
    def metrics(self) -> Path:
        """A line of JSON for each epoch."""
        return self.folder / "metrics.jsonl"

    @property
    def result(self) -> Path:
        """How the trial ended, and its final metrics; not there before."""
        return self.folder / "result.json"

    @property
    def predictions(self) -> Path:
        """Probabilities and logits of the validation images."""
        return self.folder / "predictions.npz"

    @property
    def test_predictions(self) -> Path:
        """The same of the test images, of the winner alone."""
        return self.folder / "test_predictions.npz"

    @property
    def mlflow(self) -> MlflowPaths:
        return MlflowPaths(self.folder / "mlflow")

    @property
    def learned(self) -> Path:
        """What the trial learned, which the model can be made of."""
        return self.folder / "learned.npz"

    def trained_weights_by_fold(self, fold: int) -> Path:
        """That of one fold, until it is known which fold's is kept."""
        return self.folder / f"learned.fold{fold}.npz"

    def remove_results(self) -> None:
        """Remove what an earlier run in this folder produced.

        Logs and checkpoints stay, and the journal of what MLflow is to get of that run.
        """
        results = (
            *(self.model, self.metrics, self.result, self.predictions, self.test_predictions),
            *self.folder.glob("learned*.npz"),
            *self.plots.glob("*.png"),
        )
        for path in results:
            path.unlink(missing_ok=True)

    def checkpoint(self, fold: int | None) -> Path:
        """Where an interrupted fine-tune stands; None for a trial without folds."""
        name = "trial" if fold is None else f"fold{fold}"
        return self.folder / "checkpoints" / f"{name}.npz"

    @property
    def checkpoints(self) -> list[Path]:
        """Those that there are."""
        return sorted((self.folder / "checkpoints").glob("*.npz"))
