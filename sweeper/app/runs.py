"""The runs of a study in MLflow: its own, and below it one of each trial."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

from sweeper.addresses import sqlite_file
from sweeper.app.descriptions import trial_name, trial_note, trial_tags
from sweeper.display.wording import command
from sweeper.errors import SweeperError, TrackerError
from sweeper.records import Owner, TrialRow, TrialSpec
from sweeper.track.mlflow import (
    MlflowRun,
    connect,
    end_orphans,
    ensure_experiment,
    find_run,
    start_run,
)
from sweeper.track.mlflow_store import absolute_uri, answers
from sweeper.watched_files import WatchedFiles


@dataclass(frozen=True)
class StudyRuns:
    """Where the runs of a study are: the store, the experiment, and the study's own run.

    Every method raises :class:`~sweeper.errors.TrackerError` where the store cannot be used.
    """

    uri: str
    experiment_id: str
    study: MlflowRun
    study_id: str
    study_name: str
    kept: WatchedFiles

    def check_kept(self) -> None:
        """See that the file of the store is still there.

        Raises:
            TrackerError: it was deleted, moved or replaced.
        """
        path = self.kept.lost()
        if path is not None:
            raise TrackerError(
                f"{path} was deleted, moved or replaced while the sweep ran, so that nothing more "
                "can be recorded in MLflow; put it back and run the same command to continue"
            )

    def start_trial(self, spec: TrialSpec) -> MlflowRun:
        """Open the run of a trial."""
        self.check_kept()
        tags = {
            "sweeper.role": "trial",
            **self._of_trial(spec.number),
            "sweeper.command": command(spec.overrides),
            **trial_tags(spec.params),
        }
        name, note = trial_name(spec), trial_note(spec, self.study_name)
        return start_run(self.study.client, self.experiment_id, name, tags, note)

    def answers(self) -> bool:
        """Whether the store is there, asked without waiting for one that is not."""
        return self.kept.lost() is None and answers(self.uri)

    def find_trial(self, number: int) -> MlflowRun | None:
        """The run of a trial, which another controller may have opened; None where it has none."""
        return find_run(self.study.client, self.experiment_id, self._of_trial(number))

    def owner(self, number: int) -> Owner:
        """Whose files lie in the folder of a trial.

        Raises:
            SweeperError: the trial has no run.
        """
        run = self.find_trial(number)
        if run is None:
            raise SweeperError(
                f"the run of trial {number} is not in MLflow at {self.uri}; start a new study with "
                "hydra.sweeper.study_name=<name>"
            )
        return Owner(run.run_id, self.study_id)

    def end_orphans(self, rows: Iterable[TrialRow], running: Container[int] | None = None) -> None:
        """Close what a controller left open; see :func:`sweeper.track.mlflow.end_orphans`."""
        end_orphans(self.study.client, self.experiment_id, self.study.run_id, rows, running)

    def _of_trial(self, number: int) -> dict[str, str]:
        return {"mlflow.parentRunId": self.study.run_id, "sweeper.trial_number": str(number)}


def open_runs(
    uri: str,
    experiment: str,
    name: str,
    study_id: str,
    tags: Mapping[str, str],
    note: str,
    rows: Iterable[TrialRow],
    running: Container[int],
) -> StudyRuns:
    """Open the run of a study, or go on with the one it has.

    Args:
        uri: the store; a relative sqlite path is made absolute.
        experiment: name of the experiment, made if need be.
        name: of a run that is new.
        study_id: by which the run is found again.
        tags: of a run that is new, beside those by which it is found.
        note: that describes a run that is new, in Markdown.
        rows: trials that have ended, whatever their runs say.
        running: numbers of the trials that other controllers run now.

    Raises:
        TrackerError: the store cannot be used.
    """
    uri = absolute_uri(uri)
    client = connect(uri)
    experiment_id = ensure_experiment(client, uri, experiment)
    file = sqlite_file(uri)
    kept = WatchedFiles([file] if file else [])
    found_by = {"sweeper.role": "study", "sweeper.study_id": study_id}
    known = find_run(client, experiment_id, found_by)
    if known is None:
        new = start_run(client, experiment_id, name, {**found_by, **tags}, note)
        return StudyRuns(uri, experiment_id, new, study_id, name, kept)
    known.resume()
    runs = StudyRuns(uri, experiment_id, known, study_id, name, kept)
    runs.end_orphans(rows, running)
    return runs
