"""When a study is done, and when its trials end before that."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sweeper.disk.watched_files import WatchedFiles
from sweeper.errors import StudyLost
from sweeper.records import State
from sweeper.search.gain.gain_watch import GainWatch
from sweeper.search.status import StudyStatus


@dataclass
class Stopping:
    """The stop conditions of ``hydra.sweeper``. Each lets the trials that run finish.

    Args:
        n_trials: finished trials in all, over every sweep of the study; None for no limit.
        timeout: seconds after which this sweep begins no trial.
        target: value of the objective that is good enough.
        patience: finished trials in a row without a better one.
        gain: says when more trials could gain too little; None where that ends nothing.
        max_failure_rate: the part of the study's trials that may fail.
    """

    n_trials: int | None
    timeout: float | None = None
    target: float | None = None
    patience: int | None = None
    max_failure_rate: float | None = None
    gain: GainWatch | None = None
    clock: Callable[[], float] = time.monotonic
    reason: str = field(default="", init=False)
    """Why the study ended before ``n_trials``; empty where it did not."""
    failed: bool = field(default=False, init=False)
    """Whether it ended because too many trials failed."""

    def __post_init__(self) -> None:
        self._began = self.clock()

    def has_room(self, status: StudyStatus) -> bool:
        """Whether one more trial, if none of those that run is lost, fits into the total."""
        return self.n_trials is None or status.counted + len(status.running) < self.n_trials

    def is_done(self, status: StudyStatus) -> bool:
        """Whether no trial shall begin any more."""
        if self.reason:
            return True
        self.reason = self._early(status)
        full = self.n_trials is not None and status.counted >= self.n_trials
        return bool(self.reason) or full

    def _early(self, status: StudyStatus) -> str:
        if self.max_failure_rate is not None:
            # until the end only what is certain: enough have failed for the whole study
            allowed = self.max_failure_rate * max(self.n_trials or 0, status.counted)
            if status.failed > allowed:
                self.failed = True
                last = status.last(State.FAILED)
                return (
                    f"{status.failed} of {status.counted} finished trials failed, more than "
                    f"hydra.sweeper.max_failure_rate={self.max_failure_rate:g} allows"
                    + (f"; the last: {last.reason}" if last else "")
                )
        best = status.best
        if self.target is not None and best is not None and best.value is not None:
            gap = best.value - self.target
            if gap >= 0 if status.maximize[0] else gap <= 0:
                return f"trial {best.number} reached the target {self.target:g}: {best.value:g}"
        if self.patience is not None and status.since_best >= self.patience:
            return f"{status.since_best} trials in a row were no better than the best one"
        if self.gain is not None and (reason := self.gain.reason(status)):
            return reason
        if self.timeout is not None and self.clock() - self._began >= self.timeout:
            return f"the timeout of {self.timeout:g} s has passed"
        return ""


class StopSignal:
    """Shared by all that run trials: whether they continue.

    ``changed`` is notified when a trial has ended here, or no other shall begin; it is held while
    the status and an application's hooks are used. ``kept`` are the files of the study.
    """

    def __init__(self, kept: WatchedFiles | None = None) -> None:
        self._kept = kept or WatchedFiles()
        self.changed = threading.Condition()
        self.interrupted = False
        self.faults: list[BaseException] = []
        """What is no failure of a trial, in the order in which it came."""

    def interrupt(self) -> None:
        """Begin no trial any more; those that run stop at their next report, or end."""
        self.interrupted = True
        with self.changed:
            self.changed.notify_all()

    def fail(self, fault: BaseException) -> None:
        """Interrupt, because of ``fault``, or of what it follows from."""
        try:
            self.check_kept()
        except StudyLost as lost:
            fault = lost
        self.faults.append(fault)
        self.interrupt()

    def check_kept(self) -> None:
        """See that the study's files are still there.

        Raises:
            StudyLost: one was deleted, moved or replaced.
        """
        path = self._kept.lost()
        if path is not None:
            raise StudyLost(
                f"{path} was deleted, moved or replaced while the sweep ran, so that nothing more "
                "can be recorded there; put it back and run the same command to continue, or run "
                "it as it is to begin anew"
            )
