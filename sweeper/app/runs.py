"""The runs of a study, its own and those of its trials: recorded here, delivered to MLflow."""

import re
import time
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sweeper.addresses import redact
from sweeper.app.outstanding import is_first_look
from sweeper.app.pages.descriptions import trial_name, trial_note, trial_tags
from sweeper.display.wording import command
from sweeper.records import Owner, State, TrialRow, TrialSpec
from sweeper.study_files import result
from sweeper.study_files.study_paths import StudyPaths
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.track.backend.run_note import KEPT
from sweeper.track.delivered import read_delivered
from sweeper.track.delivery import Delivery
from sweeper.track.journal import Journal, NewRun


@dataclass(frozen=True)
class StudyRuns:
    """Where the runs of a study are recorded: journals in its folder, and their delivery.

    Methods raise OSError where the disk does not take what they write; MLflow is not waited for.
    """

    paths: StudyPaths
    experiment: str
    study_id: str
    study_name: str
    delivery: Delivery

    @property
    def uri(self) -> str:
        """The store in MLflow."""
        return self.delivery.store.uri

    @property
    def study(self) -> Journal:
        """The study's own run."""
        return Journal(self.paths.mlflow)

    def start(self, tags: Mapping[str, str], note: str) -> None:
        """Open the run of the study, or open it again where there is one.

        ``note`` describes a new one, until :meth:`describe` says more.

        Raises:
            TrackerError: the store cannot be opened, and nobody has looked at it before.
        """
        note = f"{note}\n\n{KEPT}"
        self.study.start(self._new(self.study_name, self._of_study, tags, note))
        self.delivery.add([self.paths.mlflow])
        self.delivery.begin(required=is_first_look(self.uri))

    def describe(self, text: str, rows: Iterable[TrialRow]) -> None:
        """Describe the study by ``text``, whose links name runs of ``rows`` by trial numbers."""
        named = {int(number) for number in re.findall(r"\(run:(\d+)\)", text)}
        linked = {row.number: row.folder for row in rows if row.number in named}
        self.study.describe(text, linked)
        self.delivery.wake()

    def start_trial(self, spec: TrialSpec) -> TrialPaths:
        """Open the run of a trial; returns its folder."""
        paths = TrialPaths(spec.folder)
        paths.remove_results()
        of_trial = {
            "sweeper.role": "trial",
            "sweeper.study_id": self.study_id,
            "sweeper.trial_number": str(spec.number),
        }
        tags = {"sweeper.command": command(spec.overrides), **trial_tags(spec.params)}
        again = int(spec.again[0].name) if spec.again and spec.again[0].name.isdigit() else None
        about = result.AboutTrial(
            spec.number, self.study_id, spec.params, time.time(), again, spec.distributions
        )
        result.write(paths.about, about)
        self.start_below(paths, trial_name(spec), of_trial, tags, trial_note(spec, self.study_name))
        return paths

    def start_below(
        self,
        paths: TrialPaths,
        name: str,
        found_by: Mapping[str, str],
        tags: Mapping[str, str],
        note: str,
    ) -> None:
        """Open a run below the study's, which no other run has the tags ``found_by`` of."""
        Journal(paths.mlflow).start(self._new(name, found_by, tags, note, True))
        self.delivery.add([paths.mlflow])

    def end_trial(self, row: TrialRow) -> None:
        """Close the run of a trial that has ended."""
        paths = TrialPaths(row.folder)
        journal = Journal(paths.mlflow)
        if row.state is State.FAILED and paths.log.exists():
            journal.log_file(paths.log, "logs")  # the process may have died before it could
        journal.end(row.state, row.reason, row.cause)
        result.settle(paths.result, row)
        self.delivery.wake()

    def interrupt_trial(self, paths: TrialPaths, reason: str) -> None:
        """Close the run of a trial that was interrupted."""
        # first: killed after it, the next controller finds the run open
        result.settle_interrupted(paths.result, reason)
        Journal(paths.mlflow).end(State.FAILED, reason)
        self.delivery.add([paths.mlflow])

    def owner(self, number: int) -> Owner:
        """Whose files lie in the folder of a trial."""
        return Owner(str(number), self.study_id)

    def run_id(self, row: TrialRow) -> str | None:
        """Id of a trial's run in MLflow, None where MLflow has not got it yet."""
        return read_delivered(TrialPaths(row.folder).mlflow).run_id or None

    def find_trial(self, number: int) -> TrialPaths | None:
        """The folder of a trial of this study, None where it is not here or has none."""
        found = (paths for paths in self._trials() if self._number(paths) == number)
        return next(found, None)

    def end_elsewhere(self, ends: Mapping[int, tuple[State, str, str]]) -> None:
        """Close runs of trials whose folders are on other machines, where they are left open."""
        if ends:
            self.study.end_others(ends)

    def end_orphans(self, rows: Sequence[TrialRow], running: Container[int] | None = None) -> None:
        """Close the runs that a controller left open when it died, and deliver what it left.

        Those of ``rows`` end as the trials did; the others were interrupted, unless their trials
        are in ``running``, under another controller now. None where that is not known.
        """
        ended = {row.number: row for row in rows}
        for paths in self._trials(row.folder for row in rows):
            number = self._number(paths)
            journal, delivered = Journal(paths.mlflow), read_delivered(paths.mlflow)
            whole = journal.size() <= delivered.offset
            if number is None or (whole and delivered.ended):
                continue
            if not any(one.kind == "end" for one in journal.entries(delivered.start)):
                if number in ended:
                    self.end_trial(ended.pop(number))
                elif running is not None and number not in running:
                    self.interrupt_trial(paths, "interrupted")
            self.delivery.add([paths.mlflow])

    def _trials(self, more: Iterable[Path] = ()) -> Iterator[TrialPaths]:
        return map(TrialPaths, dict.fromkeys([*self.paths.trials, *more]))

    def _number(self, paths: TrialPaths) -> int | None:
        """The number of the trial whose folder that is, None where it is not of this study."""
        about = result.read_about_trial(paths.about)
        return about.number if about is not None and about.study == self.study_id else None

    @property
    def _of_study(self) -> dict[str, str]:
        return {"sweeper.role": "study", "sweeper.study_id": self.study_id}

    def _new(
        self,
        name: str,
        found_by: Mapping[str, str],
        tags: Mapping[str, str],
        note: str,
        below: bool = False,
    ) -> NewRun:
        parent = self._of_study if below else {}
        uri = redact(self.uri)
        return NewRun(uri, self.experiment, name, found_by, tags, note, parent)
