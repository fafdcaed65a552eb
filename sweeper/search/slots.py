"""Slots: each asks for a trial, runs it, tells how it ended, and at once asks for the next.

No slot waits for another. One thread a slot runs Optuna's own ``study.optimize`` for one trial at a
time, which keeps its heartbeat working; trials themselves run in processes of their own.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import optuna
from omegaconf import DictConfig
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial

from sweeper.errors import SweeperError, TrialFailed, TrialPruned
from sweeper.execute.base import Executor, Place
from sweeper.paths import TrialPaths
from sweeper.records import Cause, TrialSpec
from sweeper.search.compose import Composer, number_job
from sweeper.search.hooks import StudyHooks
from sweeper.search.job import TrialJob
from sweeper.search.listener import TrialListener
from sweeper.search.progress import Progress
from sweeper.search.queue import enqueue_next, requeue
from sweeper.search.space import SearchSpace
from sweeper.search.stopping import Stopping
from sweeper.search.store import Store
from sweeper.search.study import (
    ATTEMPTS,
    CAUSE,
    FOLDER,
    LOG_TAIL,
    OOM,
    REASON,
    Study,
)
from sweeper.search.tally import Tally, ran_out_of_memory

_LONGEST_REASON = 1000
_LONGEST_TAIL = 8000
"""Characters kept in the study's store; the log itself is in the trial's folder."""


class Interrupted(Exception):
    """A trial ends here because the sweep does; its parameters are tried again later."""


@dataclass(frozen=True)
class TrialPlan:
    """How every trial of the study is made and run.

    ``custom`` is the person's ``custom_search_space``, to be called with each trial; ``make_job``
    turns a trial and its composed configuration into work for its process.
    """

    space: SearchSpace
    composer: Composer
    make_job: Callable[[TrialSpec, DictConfig], TrialJob]
    custom: Callable[[optuna.Trial], None] | None = None
    retries: Mapping[Cause, int] = field(default_factory=dict)
    timeout: float | None = None


class Slots:
    """Runs the trials of one study until ``stopping`` says that it is done."""

    def __init__(
        self,
        study: Study,
        store: Store,
        tally: Tally,
        plan: TrialPlan,
        stopping: Stopping,
        starting_points: Sequence[dict[str, Any]],
        executor: Executor,
        places: Sequence[Place],
        hooks: StudyHooks,
        progress: Progress,
    ) -> None:
        self._study = study
        self._store = store
        self._tally = tally
        self._plan = plan
        self._stopping = stopping
        self._points = list(starting_points)
        self._executor = executor
        self._places = places
        self._hooks = hooks
        self._progress = progress
        self._changed = threading.Condition()
        """Notified when a trial has ended here; held while tally and hooks are used."""
        self._running: dict[int, int] = {}
        """Trial that runs in each slot."""
        self._stale: list[FrozenTrial] = []
        self._faults: list[BaseException] = []
        self.interrupted = False
        store.on_stale = self._on_stale

    def run(self) -> None:
        """Fill the slots until the study is done or interrupted.

        Raises:
            Whatever ended a slot and is no failure of a trial.
        """
        if len(self._places) == 1:  # in this thread, where a debugger and inline work belong
            self._fill(0)
        else:
            threads = [
                threading.Thread(target=self._fill, args=(slot,), name=f"slot {slot}")
                for slot in range(len(self._places))
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        if self._faults:
            raise self._faults[0]

    def interrupt(self) -> None:
        """Begin no trial any more; those that run stop at their next report, or end."""
        self.interrupted = True
        with self._changed:
            self._changed.notify_all()

    def _fill(self, slot: int) -> None:
        try:
            while (gate := self._next()) is not None:
                self._try_one(slot, gate)
        except BaseException as error:
            self._faults.append(error)
            self.interrupt()

    def _next(self) -> ExitStack | None:
        """Wait until a trial may begin; returns the study's gate, held, or None at the end."""
        with self._changed:
            while not self.interrupted:
                with ExitStack() as gate:
                    gate.enter_context(self._store.gate())
                    self._store.fail_stale(self._study)
                    self._refresh()
                    waiting = self._tally.waiting
                    exhausted = self._study.exhausted and not waiting
                    if exhausted or self._stopping.is_done(self._tally):
                        self._changed.notify_all()
                        return None
                    if self._stopping.has_room(self._tally):
                        if not waiting:
                            enqueue_next(self._study, self._points)
                        return gate.pop_all()
                elsewhere = self._tally.running - set(self._running.values())
                self._changed.wait(self._store.poll_seconds if elsewhere else None)
        return None

    def _refresh(self) -> None:
        for trial in ran_out_of_memory(self._tally.refresh()):
            self._study.learn_oom(trial)
        while self._stale:
            trial = self._stale.pop()
            self._hooks.trial_interrupted(trial.number, "its controller died")
            self._progress.note(
                f"trial {trial.number} was left by a controller that died; it is tried again"
            )

    def _on_stale(self, study: optuna.Study, trial: FrozenTrial) -> None:
        requeue(study, trial)
        self._stale.append(trial)

    def _try_one(self, slot: int, gate: ExitStack) -> None:
        try:
            with gate:
                self._study.optimize(
                    lambda trial: self._objective(slot, trial, gate),
                    n_trials=1,
                    catch=(TrialFailed, Interrupted),
                )
        except Exception:
            # Optuna refuses to be told of a trial that another controller took for dead
            number = self._running.get(slot)
            with self._changed:
                self._refresh()
            if number is None or number in self._tally.running:
                raise
            if not self._tally.is_superseded(number):
                raise
        self._ended(slot)

    def _objective(self, slot: int, trial: optuna.Trial, gate: ExitStack) -> tuple[float, ...]:
        self._running[slot] = trial.number
        listener = TrialListener(trial, self._study, self._progress, slot, self)
        try:
            with gate:
                self._store.show_alive(trial)
                params = self._suggest(trial)
        except optuna.TrialPruned as pruned:
            trial.set_user_attr(REASON, _clip(str(pruned) or "custom_search_space gave it up"))
            raise
        except BaseException as error:  # a search space that fails for one fails for all
            self._end_with(error, trial)
            raise
        try:
            return self._run(slot, trial, params, listener)
        except TrialPruned as pruned:
            if listener.interrupted:
                raise self._interruption(trial) from None
            trial.set_user_attr(REASON, _clip(pruned.reason))
            raise optuna.TrialPruned(pruned.reason) from None
        except SweeperError as error:
            if self.interrupted and isinstance(error, TrialFailed) and error.cause is Cause.KILLED:
                raise self._interruption(trial) from None
            self._record_failure(trial, error)
            raise TrialFailed(str(error)) from None
        except BaseException as error:
            self._end_with(error, trial)
            raise

    def _suggest(self, trial: optuna.Trial) -> dict[str, Any]:
        params = self._plan.space.suggest(trial)
        if self._plan.custom is None:
            return params
        self._plan.custom(trial)
        return params | trial.params

    def _run(
        self,
        slot: int,
        trial: optuna.Trial,
        params: Mapping[str, Any],
        listener: TrialListener,
    ) -> tuple[float, ...]:
        plan = self._plan
        overrides = plan.space.overrides(params)
        config = number_job(plan.composer.trial(plan.space, params), trial.number)
        folder = Path(config.hydra.sweep.dir).absolute() / config.hydra.sweep.subdir
        trial.set_user_attr(FOLDER, self._tally.relative(folder))
        spec = TrialSpec(trial.number, params, overrides, folder)
        with self._changed:
            spec = replace(spec, context=self._hooks.trial_started(spec, config))
        listener.spec = spec
        self._progress.trial_started(slot, spec)
        values: tuple[float, ...] = self._executor.run(
            plan.make_job(spec, config),
            TrialPaths(folder).log,
            listener,
            self._places[slot],
            plan.timeout,
        )
        return values

    def _interruption(self, trial: optuna.Trial) -> Interrupted:
        self._requeue(trial)
        return Interrupted()

    def _end_with(self, error: BaseException, trial: optuna.Trial) -> None:
        """Let the sweep end with ``error``, unless that is about a trial taken for dead."""
        self._requeue(trial)
        if not isinstance(error, UpdateFinishedTrialError):
            self._faults.append(error)
            self.interrupt()

    def _requeue(self, trial: optuna.Trial, attempts: Mapping[str, int] | None = None) -> None:
        # behind the gate no other controller takes the trial for dead and does the same
        with self._store.gate():
            frozen = self._study.get_trials(deepcopy=False)[trial.number]
            requeue(self._study, frozen, attempts)

    def _record_failure(self, trial: optuna.Trial, error: SweeperError) -> None:
        reason = _clip(str(error))
        if isinstance(error, TrialFailed):
            trial.set_user_attr(CAUSE, str(error.cause))
            trial.set_user_attr(LOG_TAIL, error.log_tail[-_LONGEST_TAIL:])
            if error.cause is Cause.OOM:
                trial.set_user_attr(OOM, True)
                trial.set_constraint(OOM, 1.0)
            attempts = dict(trial.user_attrs.get(ATTEMPTS, {}))
            before = attempts.get(error.cause, 0)
            if before < self._plan.retries.get(error.cause, 0):
                attempts[str(error.cause)] = before + 1
                self._requeue(trial, attempts)
                reason += "; tried again"
        # last: a failure without a reason counts as interrupted
        trial.set_user_attr(REASON, reason)

    def _ended(self, slot: int) -> None:
        number = self._running.pop(slot)
        with self._changed:
            self._refresh()
            row, summary = self._tally.row(number), self._tally.summary()
            if row is None:
                self._hooks.trial_interrupted(number, "the sweep was interrupted")
                self._progress.note(f"trial {number} was interrupted; its parameters go first next")
            else:
                self._hooks.trial_finished(row, summary)
                self._progress.trial_finished(slot, row, summary)
            self._store.sync()
            self._changed.notify_all()


def _clip(reason: str) -> str:
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}..."
