"""What a person reads of a study while it runs: its page, its leaderboard, MLflow's description."""

import time

from sweeper.app.paced import Paced
from sweeper.app.pages.readme import Page
from sweeper.app.pages.study_description import StudyDescription
from sweeper.app.runs import StudyRuns
from sweeper.display.confirmed_text import spelled_choice
from sweeper.display.console import open_console
from sweeper.display.leaderboard import write_leaderboard
from sweeper.display.leaderboard_table import print_table
from sweeper.display.wording import command
from sweeper.paths import shown_path
from sweeper.records import StudySummary
from sweeper.report.trial_standings import standings_of
from sweeper.study_files.confirmed import Confirmed, read_confirmed
from sweeper.study_files.study_paths import StudyPaths


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
        self._tables, self._texts = Paced(), Paced()

    def started(self, summary: StudySummary) -> None:
        """Say that trials run."""
        self._page.write(summary, f"running since {_now()}", again=self._again)
        self._describe(summary)

    def trial_ended(self, summary: StudySummary) -> None:
        """Bring leaderboard and description up to date, unless they were so a moment ago."""
        self._tables(lambda: self._write_leaderboard(summary))
        self._texts(lambda: self._describe(summary))

    def interrupted(self, summary: StudySummary, reason: str) -> None:
        """Say that the study can be resumed."""
        self._write_leaderboard(summary)
        state = f"interrupted at {_now()}: {' '.join(reason.split())}"
        self._page.write(summary, state, again=self._again)

    def trials_ended(self, summary: StudySummary) -> None:
        """Show all trials, with ties; have MLflow get the tables."""
        standings = standings_of(summary)
        confirmed = self._confirmed
        write_leaderboard(summary, self._paths.leaderboard, standings, confirmed)
        print_table(summary, open_console(), standings, confirmed)
        tables = [self._paths.results, self._paths.leaderboard, self._paths.master]
        for path in [*tables, *[self._paths.confirmed] * (confirmed is not None)]:
            self._runs.study.log_file(path, "study")

    def without_winner(self, summary: StudySummary) -> None:
        """Say that there is nothing to test."""
        self._page.write(summary, f"finished at {_now()}; no trial completed")

    def finished(self, summary: StudySummary, tested: str) -> None:
        """Say what the test of the winner gave; have MLflow get the pages about it."""
        self._page.write(summary, f"finished at {_now()}", tested, self._again)
        self._describe(summary, tested)
        for path in (self._paths.best_recipe, self._paths.winner, self._paths.page):
            self._runs.study.log_file(path, "study")

    def print_next(self, reported: bool) -> None:
        """Show where everything is, and the next commands; the report where it was written."""
        paths, console = self._paths, open_console()
        folder = shown_path(paths.folder)
        again = command(["--config-dir", str(folder), "--config-name", "best"])
        report = [("report", f"{folder}/{paths.report.name}")] if reported else []
        for label, text in (
            *report,
            ("files", f"{folder}/{paths.page.name} explains them"),
            ("best recipe", f"{folder}/{paths.best_recipe.name}"),
            ("run it again", again),
            ("compare runs", self._page.ui),
        ):
            console.print(f"{f'{label}:':<15}{text}", soft_wrap=True)

    def _write_leaderboard(self, summary: StudySummary) -> None:
        # ties take time, and other slots wait here: they are found when the sweep ends
        write_leaderboard(summary, self._paths.leaderboard, {}, self._confirmed)

    def _describe(self, summary: StudySummary, tested: str = "") -> None:
        """Describe the study in MLflow as it stands."""
        text = self._description.text(summary, tested, self._again)
        self._runs.describe(text, summary.rows)

    @property
    def _confirmed(self) -> Confirmed | None:
        """What became of trials that were run again."""
        return read_confirmed(self._paths.confirmed, self._runs.study_id)

    @property
    def _again(self) -> str:
        """The same in words; empty where none was."""
        confirmed = self._confirmed
        return spelled_choice(confirmed) if confirmed is not None else ""


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M")
