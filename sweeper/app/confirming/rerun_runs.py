"""The runs of trials that are run again: recorded in folders of their own, delivered to MLflow."""

import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from sweeper.app.pages.descriptions import rerun_name, rerun_note, trial_tags
from sweeper.app.runs import StudyRuns
from sweeper.display.wording import command
from sweeper.records import State, TrialSpec
from sweeper.study_files.result import (
    AboutTrial,
    Result,
    Status,
    read_about_trial,
    read_result,
    write,
)
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.track.journal import Journal, last_run

_ENDED = (Status.COMPLETE, Status.PRUNED, Status.FAILED)


class RerunRuns:
    """Their journals and results, below the folder of a study.

    Methods raise OSError where the disk does not take what they write.
    """

    def __init__(self, runs: StudyRuns) -> None:
        self._runs = runs

    def start(self, spec: TrialSpec, seed: int) -> None:
        """Open a run below the study's; each attempt has one of its own, as of trials."""
        paths, runs = TrialPaths(spec.folder), self._runs
        paths.remove_results()
        write(paths.about, AboutTrial(spec.number, runs.study_id, spec.params, time.time()))
        found_by = {
            "sweeper.role": "confirm",
            "sweeper.study_id": runs.study_id,
            # not sweeper.trial_number, by which the runs of trials are found
            "sweeper.rerun_of": str(spec.number),
            "sweeper.seed": str(seed),
            "sweeper.attempt": uuid.uuid4().hex[:8],
        }
        tags = {"sweeper.command": command(spec.overrides), **trial_tags(spec.params)}
        note = rerun_note(spec, seed, runs.study_name)
        runs.start_below(paths, rerun_name(spec, seed), found_by, tags, note)

    def end_orphans(self) -> None:
        """Close the runs that a controller left open when it died, and deliver what it left.

        One that ended by itself is complete; of another nobody knows whether it failed or was
        stopped: it is run again.
        """
        for paths, _ in self._known():
            journal, result = Journal(paths.mlflow), read_result(paths.result)
            if not any(one.kind == "end" for one in last_run(journal.entries())):
                if result is not None and result.state is Status.COMPLETE:
                    journal.end(State.COMPLETE)
                else:
                    self._runs.interrupt_trial(paths, "interrupted")
            self._runs.delivery.add([paths.mlflow])

    def ended(self) -> dict[int, dict[Path, Result]]:
        """How those ended that did, by the number of the trial and their folder."""
        found: dict[int, dict[Path, Result]] = {}
        for paths, about in self._known():
            result = read_result(paths.result)
            if result is not None and result.state in _ENDED:
                found.setdefault(about.number, {})[paths.folder] = result
        return found

    def _known(self) -> Iterator[tuple[TrialPaths, AboutTrial]]:
        for paths in map(TrialPaths, self._runs.paths.reruns):
            about = read_about_trial(paths.about)
            if about is not None and about.study == self._runs.study_id:
                yield paths, about
