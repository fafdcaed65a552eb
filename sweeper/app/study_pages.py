"""What a person reads of a study while it runs: its page, its leaderboard, MLflow's description."""

import time

from sweeper.app.readme import Page
from sweeper.app.runs import StudyRuns
from sweeper.app.study_description import StudyDescription
from sweeper.display.console import open_console
from sweeper.display.leaderboard import print_table, write_leaderboard
from sweeper.display.wording import command
from sweeper.paths import shown_path
from sweeper.records import StudySummary
from sweeper.report.trial_standings import standings_of
from sweeper.study_folder import StudyPaths


class StudyPages:
    """Writes them at each step of a study; methods raise OSError where the disk is full.

    Args:
        runs: of the study in MLflow.
        page: of its folder.
        description: in MLflow.
    """

    def __init__(self, runs: StudyRuns, page: Page, description: StudyDescription) -> None:
        self._runs = runs
        self._page = page
        self._description = description
        self._paths: StudyPaths = runs.paths

    def started(self, summary: StudySummary) -> None:
        """Say that trials run."""
        self._page.write(summary, f"running since {_now()}")
        self._describe(summary)

    def trial_ended(self, summary: StudySummary) -> None:
        """Bring the leaderboard up to date."""
        # ties take time, and other slots wait here: they are found when the sweep ends
        write_leaderboard(summary, self._paths.leaderboard, {})
        self._describe(summary)

    def interrupted(self, summary: StudySummary, reason: str) -> None:
        """Say that the study can be resumed."""
        self._page.write(summary, f"interrupted at {_now()}: {' '.join(reason.split())}")

    def trials_ended(self, summary: StudySummary) -> None:
        """Show all trials, with ties; have MLflow get the tables."""
        standings = standings_of(summary)
        write_leaderboard(summary, self._paths.leaderboard, standings)
        print_table(summary, open_console(), standings)
        for path in (self._paths.results, self._paths.leaderboard, self._paths.master):
            self._runs.study.log_file(path, "study")

    def without_winner(self, summary: StudySummary) -> None:
        """Say that there is nothing to test."""
        self._page.write(summary, f"finished at {_now()}; no trial completed")

    def finished(self, summary: StudySummary, tested: str) -> None:
        """Say what the test of the winner gave; have MLflow get the pages about it."""
        self._page.write(summary, f"finished at {_now()}", tested)
        self._describe(summary, tested)
        for path in (self._paths.best_recipe, self._paths.winner, self._paths.page):
            self._runs.study.log_file(path, "study")

    def print_next(self) -> None:
        """Show where everything is, and how to go on."""
        paths, console = self._paths, open_console()
        folder = shown_path(paths.folder)
        again = command(["--config-dir", str(folder), "--config-name", "best"])
        for label, text in (
            ("report", f"{folder}/{paths.report.name}"),
            ("files", f"{folder}/{paths.page.name} explains them"),
            ("best recipe", f"{folder}/{paths.best_recipe.name}"),
            ("run it again", again),
            ("compare runs", self._page.ui),
        ):
            console.print(f"{f'{label}:':<15}{text}", soft_wrap=True)

    def _describe(self, summary: StudySummary, tested: str = "") -> None:
        """Describe the study in MLflow as it stands."""
        self._runs.describe(self._description.text(summary, tested), summary.rows)


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M")
