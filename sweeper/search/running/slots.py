"""Slots: each asks for a trial, runs it, records how it ended, and at once asks for the next.

No slot waits for another. One thread a slot runs Optuna's own ``study.optimize`` for one trial at a
time, which keeps its heartbeat working; trials themselves run in processes of their own.
"""

import contextlib
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import optuna

from sweeper.errors import TrialFailed
from sweeper.execute.executor import Placement
from sweeper.search.queue import enqueue_next, requeue
from sweeper.search.running.filled_slots import FilledSlots
from sweeper.search.session import Session
from sweeper.search.status import ran_out_of_memory
from sweeper.search.stopping import Stopping
from sweeper.search.stores.exclusive import GateLost
from sweeper.search.trials.runner import Interrupted, TrialRunner
from sweeper.search.trials.trial_plan import TrialPlan


class Slots(FilledSlots[ExitStack]):
    """Runs the trials of a session's study until ``stopping`` says that it is done.

    Args:
        session: the study and all that runs its trials.
        plan: how a trial is made.
        stopping: when no further trial begins.
        starting_points: parameter sets to try first.
        placements: where each slot runs its trials.
    """

    def __init__(
        self,
        session: Session,
        plan: TrialPlan,
        stopping: Stopping,
        starting_points: Sequence[dict[str, Any]],
        placements: Sequence[Placement],
    ) -> None:
        super().__init__(session, placements)
        self._runner = TrialRunner(session, plan)
        self._stopping = stopping
        self._points = list(starting_points)
        self._running: dict[int, int] = {}
        """Trial that runs in each slot."""
        session.store.ends = lambda: session.stop_signal.interrupted

    def _next(self) -> ExitStack | None:
        """Wait until a trial may begin; returns the study's gate, held, or None at the end."""
        with self._session.stop_signal.changed:
            while not self._session.stop_signal.interrupted:
                self._session.stop_signal.check_kept()
                elsewhere: set[int] | None = None
                with contextlib.suppress(GateLost), ExitStack() as gate:
                    gate.enter_context(self._session.store.gate())
                    self._session.store.fail_stale(self._session.study)
                    self._refresh()
                    done = self._stopping.is_done(self._session.status)
                    if not done:
                        self._retry_lost()
                    waiting = self._session.status.waiting
                    if done or (self._session.study.exhausted and not waiting):
                        self._session.stop_signal.changed.notify_all()
                        return None
                    if self._stopping.has_room(self._session.status):
                        if not waiting:
                            enqueue_next(self._session.study, self._points)
                        return gate.pop_all()
                    elsewhere = set(self._session.status.running) - set(self._running.values())
                if elsewhere is not None:  # else the gate was lost: look again
                    self._session.stop_signal.changed.wait(
                        self._session.store.poll_seconds if elsewhere else None
                    )
        return None

    def _waits(self) -> bool:
        return self._session.status.waiting > 0

    def _refresh(self) -> None:
        for trial in ran_out_of_memory(self._session.status.refresh()):
            self._session.study.learn_oom(trial)

    def _retry_lost(self) -> None:
        """Queue what other controllers left when they died; to be called behind the gate.

        Any controller does it, so that a trial which one of them has closed, and then died or lost
        the gate, takes no further one's place in the total.
        """
        lost = sorted(self._session.status.lost)
        for number in lost:
            requeue(self._session.study, self._session.study.get_trials(deepcopy=False)[number])
            self._session.hooks.trial_interrupted(number, "its controller died")
            self._session.progress.note(
                f"trial {number} was left by a controller that died; it is tried again"
            )
        if lost:
            self._refresh()

    def _run(self, slot: int, place: Placement, work: ExitStack) -> None:
        try:
            with work:
                self._session.study.optimize(
                    lambda trial: self._objective(slot, place, trial, work),
                    n_trials=1,
                    catch=(TrialFailed, Interrupted),
                )
        except Exception as error:
            number = self._running.get(slot)
            if number is None and isinstance(error, GateLost):
                return  # what was asked for has no heartbeat, and is found by that
            # Optuna refuses the result of a trial that another controller took for dead
            with self._session.stop_signal.changed:
                self._refresh()
            if number is None or number in self._session.status.running:
                raise
            if not self._session.status.is_tried_again(number):
                raise
        self._ended(slot)

    def _objective(
        self, slot: int, place: Placement, trial: optuna.Trial, gate: ExitStack
    ) -> tuple[float, ...]:
        self._running[slot] = trial.number
        return self._runner.run(trial, slot, place, gate)

    def _ended(self, slot: int) -> None:
        number = self._running.pop(slot)
        with self._session.stop_signal.changed:
            self._refresh()
            row, summary = self._session.status.row(number), self._session.status.summary()
            if row is None:
                self._session.hooks.trial_interrupted(number, "the sweep was interrupted")
                self._session.progress.note(
                    f"trial {number} was interrupted; its parameters go first next"
                )
            else:
                self._session.hooks.trial_finished(row, summary)
                self._session.progress.trial_finished(slot, row, summary)
            self._session.store.sync()
            self._session.stop_signal.changed.notify_all()
