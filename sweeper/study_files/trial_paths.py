"""Every file of a trial."""

from dataclasses import dataclass
from pathlib import Path

from sweeper.study_files.mlflow_paths import MlflowPaths


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
