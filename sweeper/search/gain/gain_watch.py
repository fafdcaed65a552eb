"""The stop condition ``min_gain``: estimates are made beside the slots, which wait for none."""

import threading
from collections.abc import Callable

import optuna

from sweeper.records import StudySummary
from sweeper.search.gain.gain_estimate import estimated
from sweeper.search.hooks import StudyHooks
from sweeper.search.status import StudyStatus
from sweeper.study_files.gain import Gain

Error = Callable[[StudySummary], float | None]
"""The standard error of a study's best figure, None where nobody knows it; called in any thread."""


def error_faults(least: float | str | None, hooks: StudyHooks) -> list[str]:
    """What is wrong with ``hydra.sweeper.min_gain=error`` where an application has ``hooks``."""
    if least != "error" or type(hooks).figure_error is not StudyHooks.figure_error:
        return []
    return [
        "hydra.sweeper.min_gain=error needs an application that knows the standard error of its "
        "figures (figure_error of its hooks), which this one does not; give a number"
    ]


class GainWatch:
    """Says when more trials can gain too little.

    Args:
        study: whose trials they are.
        least: what they have to be able to gain; ``error`` for the standard error of the best
            figure, so that no better one could be distinguished from luck.
        error: gives that.
    """

    def __init__(self, study: optuna.Study, least: float | str, error: Error) -> None:
        self._study = study
        self._least = least
        self._error = error
        self._looked = 0
        self._worker: threading.Thread | None = None
        self._newest: Gain | None = None

    def reason(self, status: StudyStatus) -> str:
        """Why no trial shall begin any more, by the newest estimate; empty where one may.

        Where trials have ended since, another estimate begins, in a thread of its own; a study
        that is continued waits for its first one.
        """
        busy = self._worker is not None and self._worker.is_alive()
        if status.counted > self._looked and not busy:
            first, self._looked = not self._looked, status.counted
            trials, summary = self._study.get_trials(deepcopy=False), status.summary()
            self._worker = threading.Thread(
                target=self._estimate, args=(trials, summary), name="gain", daemon=True
            )
            self._worker.start()
            if first:
                self._worker.join()
        return self._verdict(self._newest)

    def wait(self) -> None:
        """Wait until the estimate that is being made is there."""
        if self._worker is not None:
            self._worker.join()

    def _estimate(self, trials: list[optuna.trial.FrozenTrial], summary: StudySummary) -> None:
        self._newest = estimated(trials, self._study.directions, self._error(summary))

    def _verdict(self, gain: Gain | None) -> str:
        if gain is None or gain.most is None:
            return ""
        if isinstance(self._least, str):
            least, asked = gain.error, "the standard error of the best figure"
        else:
            least, asked = self._least, "hydra.sweeper.min_gain"
        if least is None or gain.most >= least:
            return ""
        return f"more trials could gain {gain.most:.2g} at most, less than {asked}, {least:.2g}"
