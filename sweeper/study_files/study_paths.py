"""Every file of a study, beside those of its trials."""

from dataclasses import dataclass
from pathlib import Path

from sweeper.study_files.mlflow_paths import MlflowPaths

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
    def mlflow(self) -> MlflowPaths:
        return MlflowPaths(self.folder / "mlflow")

    @property
    def trials(self) -> list[Path]:
        """Folders of the trials, in the order of their names."""
        return sorted(path for path in self._above_trials.glob("*") if path.is_dir())

    def has_trial_at(self, folder: Path) -> bool:
        """Whether a trial in ``folder`` would be one of :attr:`trials`."""
        return folder.parent == self._above_trials

    @property
    def _above_trials(self) -> Path:
        return self.folder / "trials"

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
