"""The hooks of a study of fine-tunes: what happens when a trial or the study begins or ends."""

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from omegaconf import DictConfig, open_dict, read_write

from sweeper.addresses import hide_credentials, redact
from sweeper.app.kept_models import KeptModels
from sweeper.app.ledger import add_prebuilt, close_ledger
from sweeper.app.outstanding import say_outstanding
from sweeper.app.pages.best_recipe import write_best_recipe, write_winner
from sweeper.app.pages.readme import Page
from sweeper.app.preparing.preflight import compute_shared
from sweeper.app.preparing.prepared_study import PreparedStudy
from sweeper.app.study_report import make_report
from sweeper.app.winner import evaluate_winner, keep_models, winning_recipe
from sweeper.display.wording import command, spelled_test, ui_command
from sweeper.execute.executor import Executor, Placement
from sweeper.records import State, StudySummary, TrialRow, TrialSpec
from sweeper.report.trial_standings import figure_error
from sweeper.study_files.confirmed import Confirmed, read_confirmed
from sweeper.study_files.study_paths import StudyPaths
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.validation import parse

if TYPE_CHECKING:
    from sweeper.app.confirming.confirmation import Confirmation
    from sweeper.app.runs import StudyRuns


class FineTuneStudy(PreparedStudy):
    """Hooks of :func:`sweeper.app.task.fine_tune`."""

    preload: ClassVar[tuple[str, ...]] = (
        "tensorflow",
        "keras",
        "sklearn.datasets",
        "matplotlib.figure",
        "matplotlib.backends.backend_agg",
        "psutil",
        "sweeper.app.recorded",
        "sweeper.app.task",
        "sweeper.train.trial",
        "sweeper.train.winning_model",
        "sweeper.train.prepare",
        "sweeper.train.prebuild",
        "sweeper.train.runtime.preload",
    )

    def __init__(self) -> None:
        super().__init__()
        self._open: dict[int, TrialPaths] = {}
        self._runs: StudyRuns | None = None

    def study_started(
        self,
        config: DictConfig,
        study_id: str,
        summary: StudySummary,
        running: frozenset[int],
        space: Mapping[str, str],
    ) -> None:
        """Open the study's run, or continue the one it has."""
        from sweeper.app.pages.descriptions import study_tags
        from sweeper.app.pages.study_description import StudyDescription
        from sweeper.app.runs import StudyRuns
        from sweeper.app.study_pages import StudyPages
        from sweeper.study_files.result import AboutStudy, write
        from sweeper.track.delivery import Delivery

        recipe, overrides = parse(config), sys.argv[1:]
        self._objectives, self._confirm = recipe.objectives, recipe.confirm
        top = recipe.confirm.top if recipe.confirm else 0
        self._kept = KeptModels(max(recipe.keep_weights, top))
        self._examine_data = recipe.examine_data
        name = str(config.hydra.sweeper.study_name or recipe.name)
        paths, delivery = StudyPaths(summary.folder), Delivery(recipe.tracking.uri, self._tell)
        runs = StudyRuns(paths, recipe.tracking.experiment, study_id, name, delivery)
        write(
            paths.about,
            AboutStudy(
                name,
                study_id,
                tuple(recipe.objectives),
                summary.maximize,
                tuple(map(redact, overrides)),
                str(Path.cwd()),
                ui_command(runs.uri),
                self._prepared.data,
                self._prepared.noticed,
            ),
        )
        description = StudyDescription(recipe.name, study_id, space, overrides)
        tags = {"sweeper.command": command(overrides), **study_tags(space)}
        runs.start(tags, description.intent(summary))
        runs.end_orphans(summary.rows, running)
        storage = config.hydra.sweeper.storage
        page = Page(overrides, self._plan, storage and str(storage), ui_command(runs.uri))
        self._runs, self._summary = runs, summary
        self._pages = StudyPages(runs, page, description)
        self._pages.started(summary)

    def trial_started(self, spec: TrialSpec, config: DictConfig) -> Mapping[str, str]:
        """Open the trial's run below the study's, and hand on what is known of its network."""
        if "tracking" in config:  # its file shall not hold credentials
            with read_write(config), open_dict(config):
                config.tracking.uri = hide_credentials("tracking.uri", str(config.tracking.uri))
        runs = self._opened
        self._open[spec.number] = runs.start_trial(spec)
        return {"study_id": runs.study_id, "known": self._known}

    def trial_finished(self, row: TrialRow, summary: StudySummary) -> None:
        """Close the trial's run, and keep what the best trials learned, and only that."""
        if self._open.pop(row.number, None) is not None:  # one that did not compose has none
            self._opened.end_trial(row)
        self._record_study(summary)
        self._kept.update(summary, self._confirmed)
        self._pages.trial_ended(summary)
        self._summary = summary

    def trial_interrupted(self, number: int, reason: str) -> None:
        """Close the trial's run, which another controller may have opened."""
        runs, reason = self._opened, f"interrupted: {reason}"
        paths = self._open.pop(number, None) or runs.find_trial(number)
        if paths is None:
            runs.end_elsewhere({number: (State.FAILED, reason, "")})
        else:
            runs.interrupt_trial(paths, reason)

    def figure_error(self, summary: StudySummary) -> float | None:
        """By how much the best figure is uncertain, from the validation images of that trial."""
        return figure_error(summary)

    def reruns(self, summary: StudySummary, executor: Executor) -> "Confirmation | None":
        """The best trials with other seeds, where the recipe has ``confirm``."""
        from sweeper.app.confirming.confirmation import confirmation

        made = confirmation(self._confirm, summary, self._opened, self._tell)
        if made is not None and made.queue:
            seconds, made.known = compute_shared(made.recipes, executor, self._log)
            self._prebuilt = (self._prebuilt or 0.0) + seconds
        return made

    def study_finished(self, summary: StudySummary, executor: Executor, place: Placement) -> None:
        """Test and keep the winner, close the study's run, and show what came out."""
        runs, paths = self._opened, StudyPaths(summary.folder)
        runs.end_orphans(summary.rows)  # of another controller that died after its last trial
        self._pages.trials_ended(summary)
        self._record_study(summary)
        again = self._confirmed
        reruns = [run.folder for trial in again.trials for run in trial.runs] if again else []
        close_ledger(summary, runs.study, [paths.folder / folder for folder in reruns])
        if summary.best is None:
            self._pages.without_winner(summary)
            self._report(executor, place)
            runs.study.end(State.FAILED, "no trial completed")
            self._deliver_rest()
            return
        recipe = winning_recipe(summary.best, runs)
        confirmed = again.winner if again is not None else None
        write_best_recipe(summary, confirmed)
        log = paths.winner_log
        results = evaluate_winner(summary.best, recipe, runs, executor, place, log)
        keep_models(summary.front, runs, executor, place, log)
        write_winner(summary, results, runs.run_id(summary.best), confirmed)
        self._pages.finished(summary, spelled_test(results))
        reported = self._report(executor, place)
        runs.study.end(State.COMPLETE)
        self._deliver_rest()
        self._pages.print_next(reported)

    def study_interrupted(self, reason: str) -> None:
        """Close the runs that are open; the same command resumes the study."""
        if self._runs is None:
            return
        with contextlib.suppress(OSError):  # what ended the sweep may be the disk
            self._pages.interrupted(self._summary, reason)
            self._record_prebuilt()
            for paths in self._open.values():
                self._runs.interrupt_trial(paths, f"interrupted: {reason}")
            self._runs.study.end(State.FAILED, f"interrupted: {reason}")
        self._deliver_rest(interrupted=True)

    def hurry(self) -> None:
        """Wait for MLflow no more."""
        if self._runs is not None:
            self._runs.delivery.hurry()

    @property
    def _opened(self) -> "StudyRuns":
        assert self._runs is not None, "study_started has opened them"
        return self._runs

    @property
    def _confirmed(self) -> Confirmed | None:
        return read_confirmed(self._opened.paths.confirmed, self._opened.study_id)

    def _report(self, executor: Executor, place: Placement) -> bool:
        return make_report(self._opened, executor, place, self._tell, examine=self._examine_data)

    def _tell(self, text: str) -> None:
        self.say(text)

    def _deliver_rest(self, interrupted: bool = False) -> None:
        """Give MLflow some time for what it lacks, and say what it lacks then."""
        runs = self._opened
        say_outstanding(runs.delivery, runs.paths.folder, self.say, interrupted)

    def _record_study(self, summary: StudySummary) -> None:
        """Record the best objectives so far, then the rest: MLflow shows first what came first."""
        if summary.best is not None:
            values = zip(self._objectives, summary.best.values, strict=True)
            best = {f"best_{name}": value for name, value in values}
            self._opened.study.log_metrics(best, step=len(summary.rows))
        self._record_prebuilt()

    def _record_prebuilt(self) -> None:
        """Record, once, the seconds that went into what all trials share."""
        if self._prebuilt is not None:
            add_prebuilt(self._opened.study, self._prebuilt)
            self._prebuilt = None
