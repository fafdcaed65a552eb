"""Trials that are run again beside the study, in all slots: no sampler learns of them.

They differ from trials of the study in that nobody prunes them, and that how they ended is known
to the application alone. Causes of failures, retries and interruptions are as of trials.
"""

import contextlib
import time
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
from omegaconf import open_dict, read_write

from sweeper.errors import Outage, SweeperError, TrialFailed, TrialPruned
from sweeper.execute.executor import Placement, WorkFiles
from sweeper.records import Cause, Rerun, State, TrialRow, TrialSpec
from sweeper.search.rerun_hooks import Reruns
from sweeper.search.running.filled_slots import FilledSlots
from sweeper.search.session import Session
from sweeper.search.space.cases import bare
from sweeper.search.space.syntax import spell
from sweeper.search.trials.job import TrialJob
from sweeper.search.trials.job_folder import number_job
from sweeper.search.trials.listener import StopListener
from sweeper.search.trials.trial_plan import TrialPlan
from sweeper.study_files.trial_paths import TrialPaths


class RerunSlots(FilledSlots[Rerun]):
    """Runs all of ``reruns``, each slot the next one the moment that it is free.

    Args:
        session: the study, with a display of the reruns.
        plan: how a trial is made.
        reruns: what to run.
        placements: where each slot runs it.
    """

    def __init__(
        self,
        session: Session,
        plan: TrialPlan,
        reruns: Reruns,
        placements: Sequence[Placement],
    ) -> None:
        super().__init__(session, placements)
        self._plan = plan
        self._reruns = reruns
        self._queue = deque(reruns.queue)
        self._attempts: Counter[tuple[Path, Cause]] = Counter()
        self._ended: list[TrialRow] = []

    def _next(self) -> Rerun | None:
        with self._session.stop_signal.changed:
            if self._session.stop_signal.interrupted or not self._queue:
                return None
            self._session.stop_signal.check_kept()
            return self._queue.popleft()

    def _waits(self) -> bool:
        return bool(self._queue)

    def _run(self, slot: int, place: Placement, work: Rerun) -> None:
        with self._session.stop_signal.changed:
            job, spec = self._prepare(work)
        self._session.progress.trial_started(slot, spec)
        try:
            row = self._result(slot, place, work, job, spec)
        except BaseException as error:
            with contextlib.suppress(OSError):  # what ends the sweep may be the disk
                self._stopped(work, str(error) or type(error).__name__)
            raise
        if row is None:
            return
        with self._session.stop_signal.changed:
            self._reruns.finished(work, row)
            self._ended.append(row)
            shown = tuple(self._ended)
        self._session.progress.trial_finished(slot, row, self._session.status.of_reruns(shown))

    def _prepare(self, rerun: Rerun) -> tuple[TrialJob, TrialSpec]:
        """Compose it as the trial was composed, with what differs, in a folder of its own."""
        plan, number = self._plan, rerun.trial.number
        known = optuna.trial.FixedTrial(dict(rerun.trial.params), number)
        changes = dict(rerun.changes)
        params: dict[str, Any] = {
            key: changes.pop(bare(key), value) for key, value in plan.suggest(known).items()
        }
        own = [f"{key}={spell(value)}" for key, value in changes.items()]
        overrides = (*plan.space.overrides(params), *own)
        config = number_job(plan.composer(overrides), number)
        with read_write(config), open_dict(config):
            config.hydra.sweep.subdir = str(rerun.folder)
        folder = Path(config.hydra.sweep.dir).absolute() / rerun.folder
        spec = TrialSpec(number, params | changes, overrides, folder)
        context = self._reruns.started(rerun, spec, config)
        spec = TrialSpec(number, spec.params, overrides, folder, context)
        return plan.make_job(spec, config), spec

    def _result(
        self, slot: int, place: Placement, rerun: Rerun, job: TrialJob, spec: TrialSpec
    ) -> TrialRow | None:
        """How it ended; None where it did not: the sweep was interrupted, or it is tried again.

        Raises:
            Outage: what no rerun is at fault for.
        """
        listener, began = StopListener(self._session, spec, slot), time.monotonic()
        log, files = TrialPaths(spec.folder).log, WorkFiles((spec.folder,))
        values: tuple[float, ...] = ()
        state, reason, cause = State.FAILED, "", ""
        try:
            values = self._session.executor.run(
                job, log, listener, place, self._plan.timeout, files
            )
            state = State.COMPLETE
        except TrialPruned as pruned:  # it gave up itself, or was stopped
            reason = pruned.reason
        except Outage:
            raise
        except SweeperError as error:
            # what cannot be written where nothing is, is not its fault
            self._session.stop_signal.check_kept()
            reason = str(error)
            if isinstance(error, TrialFailed):
                cause = str(error.cause)
                if self._ends_otherwise(rerun, error):
                    return None
        if listener.interrupted and state is State.FAILED:
            self._stopped(rerun, "the sweep was interrupted")
            return None
        seconds = time.monotonic() - began
        params, folder = spec.params, spec.folder
        return TrialRow(spec.number, state, values, seconds, params, folder, reason, cause=cause)

    def _ends_otherwise(self, rerun: Rerun, failed: TrialFailed) -> bool:
        """Whether ``failed`` is no end: a second Ctrl-C has killed it, or it is tried again."""
        if self._session.stop_signal.interrupted and failed.cause is Cause.KILLED:
            self._stopped(rerun, "the sweep was interrupted")
            return True
        attempt = rerun.folder, failed.cause
        again = self._attempts[attempt] < self._plan.retries.get(failed.cause, 0)
        if again:
            self._attempts[attempt] += 1
            self._stopped(rerun, f"{failed.reason}; tried again")
            with self._session.stop_signal.changed:
                self._queue.appendleft(rerun)
        return again

    def _stopped(self, rerun: Rerun, reason: str) -> None:
        with self._session.stop_signal.changed:
            self._reruns.interrupted(rerun, reason)
        self._session.progress.note(f"{rerun.folder} was interrupted: {reason.splitlines()[0]}")
