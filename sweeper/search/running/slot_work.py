"""Trials and reruns of one sweep in its slots: displayed, and stopped by signals."""

import contextlib
from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console

from sweeper.display.interface import Outline, Progress
from sweeper.display.progress import open_progress
from sweeper.errors import SweeperError, SweepInterrupted
from sweeper.execute.executor import Executor
from sweeper.records import StudySummary
from sweeper.search.hooks import StudyHooks
from sweeper.search.request import Request
from sweeper.search.results import write_results
from sweeper.search.running.interrupts import handle_interrupts
from sweeper.search.running.reruns import RerunSlots
from sweeper.search.running.slots import Slots
from sweeper.search.session import Session
from sweeper.search.status import StudyStatus
from sweeper.search.stopping import Stopping
from sweeper.search.trials.job import Application, job_maker
from sweeper.search.trials.trial_plan import TrialPlan
from sweeper.study_files.study_paths import StudyPaths


class SlotWork:
    """Fills the slots, once with trials and once with those that are run again.

    Args:
        request: what is asked for.
        hooks: of the application.
        application: as the processes of trials must know it.
        console: the screen.
        began: when the command did, by the monotonic clock.
    """

    def __init__(
        self,
        request: Request,
        hooks: StudyHooks,
        application: Application,
        console: Console,
        began: float,
    ) -> None:
        self._request = request
        self._hooks = hooks
        self._application = application
        self._console = console
        self._began = began

    def display(
        self, total: int | None, so_far: StudySummary | None = None, what: str = "trial"
    ) -> Progress:
        """A display of ``total`` trials, or of ``what``, of which ``so_far`` has some."""
        request = self._request
        outline = Outline(
            tuple(placement.name for placement in request.placements),
            total,
            tuple(request.space.searched),
            self._hooks.reported(request.corners[0]),
            self._began,
            what,
        )
        return open_progress(self._console, outline, so_far)

    def run_trials(self, session: Session, stopping: Stopping) -> StudySummary:
        """Fill the slots until the study is done.

        Raises:
            SweepInterrupted: a signal ended it.
            SweeperError: too many trials failed, or something ended the sweep.
        """
        request, paths = self._request, StudyPaths(self._request.folder)
        slots = Slots(session, self._trial_plan(), stopping, request.points, request.placements)
        try:
            signals = self._in_slots(session, slots)
        except BaseException:
            with contextlib.suppress(Exception):  # what ended the sweep is what a person sees
                _settle(session.status, paths)
            raise
        summary = _settle(session.status, paths)
        if slots.interrupted:
            raise self._interruption(f"after {session.status.counted} trials", signals)
        if stopping.failed:
            raise SweeperError(f"{stopping.reason}\nlogs: {request.folder}")
        return summary

    def run_again(self, session: Session, summary: StudySummary) -> StudySummary:
        """Run again what the application asks for; returns the study as that judges it.

        Raises:
            SweepInterrupted: a signal ended it.
            SweeperError: something ended the sweep.
        """
        request, reruns = self._request, self._hooks.reruns(summary, session.executor)
        if reruns is None:
            return summary
        if reruns.queue:
            progress = self.display(len(reruns.queue), what="rerun of trial")
            session = replace(session, progress=progress)
            slots = RerunSlots(session, self._trial_plan(), reruns, request.placements)
            signals = self._in_slots(session, slots)
            if slots.interrupted:
                raise self._interruption("while trials were run again", signals)
        judged = reruns.judged(summary)
        write_results(judged, StudyPaths(request.folder).results)
        return judged

    def _in_slots(self, session: Session, slots: Slots | RerunSlots) -> list[int]:
        """Run ``slots``; returns the numbers of the signals that came."""
        progress = session.progress
        self._hooks.say = session.store.say = progress.note
        try:
            with handle_interrupts(
                slots.interrupt, lambda: self._end_now(session.executor), progress.note
            ) as signals:
                slots.run()
        finally:
            progress.close()
            self._hooks.say = session.store.say = self._say
        return signals

    def _interruption(self, when: str, signals: Sequence[int]) -> SweepInterrupted:
        more = "; the same command continues" if self._request.settings.storage else ""
        return SweepInterrupted(f"interrupted {when}{more}", *signals[:1])

    def _trial_plan(self) -> TrialPlan:
        request, settings = self._request, self._request.settings
        return TrialPlan(
            request.space,
            request.composer,
            job_maker(self._application, request.executor_kind.in_processes),
            request.custom,
            settings.retries.by_cause,
            settings.trial_timeout,
        )

    def _say(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)

    def _end_now(self, executor: Executor) -> None:
        executor.kill()
        self._hooks.hurry()


def _settle(status: StudyStatus, paths: StudyPaths) -> StudySummary:
    """Write what the trials have resulted in so far."""
    status.refresh()
    summary = status.summary()
    write_results(summary, paths.results)
    return summary
