"""One trial in its slot: suggested, composed, run in its process, and its end kept.

What is about the trial (it raised, was killed, gave nonsense, its recipe does not compose) is kept
with it as a failure and the sweep continues. What is about the sweep (the study's store, the search
space, an application's hooks, a full disk) ends the sweep, and the trial's parameters are tried
again.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import optuna
from optuna.distributions import distribution_to_json
from optuna.exceptions import UpdateFinishedTrialError

from sweeper.errors import (
    ConfigError,
    Outage,
    StudyLost,
    SweeperError,
    TrialFailed,
    TrialPruned,
)
from sweeper.execute.executor import Placement, WorkFiles
from sweeper.records import Cause, TrialSpec
from sweeper.search.attributes import (
    ATTEMPTS,
    CAUSE,
    FOLDER,
    LOG_TAIL,
    OOM,
    REASON,
    RETRY_OF,
    SECONDS,
)
from sweeper.search.queue import requeue
from sweeper.search.session import Session
from sweeper.search.stores.exclusive import GateLost
from sweeper.search.trials.job import TrialJob
from sweeper.search.trials.job_folder import folder_of, number_job
from sweeper.search.trials.listener import TrialListener
from sweeper.search.trials.trial_plan import TrialPlan
from sweeper.study_files.trial_paths import TrialPaths

_LONGEST_REASON = 1000
_LONGEST_TAIL = 8000
"""Characters kept in the study's store; the log itself is in the trial's folder."""


class Interrupted(Exception):
    """A trial ends here because the sweep does; its parameters are tried again later."""


class TrialRunner:
    """Runs trials of a session's study, each in the slot's thread that asks for it."""

    def __init__(self, session: Session, plan: TrialPlan) -> None:
        self._session = session
        self._plan = plan

    def run(
        self, trial: optuna.Trial, slot: int, place: Placement, gate: ExitStack
    ) -> tuple[float, ...]:
        """The objective that Optuna optimizes; ``gate`` is released once parameters are suggested.

        Raises:
            optuna.TrialPruned: the trial was given up.
            TrialFailed: it failed, and what is known about that is kept with it.
            Interrupted: it is tried again later.
        """
        try:
            with gate:
                self._session.store.show_alive(trial)
                params = self._plan.suggest(trial)
            job, spec = self._prepare(trial, params)
        except optuna.TrialPruned as pruned:
            trial.set_user_attr(REASON, _clip(str(pruned) or "custom_search_space gave it up"))
            raise
        except TrialFailed as failure:
            self._record_failure(trial, failure)
            raise
        except GateLost:  # while its parameters were asked for
            raise self._interruption(trial) from None
        except BaseException as error:
            self._end_with(error, trial)
            raise
        listener = TrialListener(self._session, trial, spec, slot)
        self._session.progress.trial_started(slot, spec)
        log, timeout = TrialPaths(spec.folder).log, self._plan.timeout
        try:
            with self._timed(trial):
                values: tuple[float, ...] = self._session.executor.run(
                    job, log, listener, place, timeout, WorkFiles((spec.folder,), spec.again)
                )
            return values
        except TrialPruned as pruned:
            if listener.interrupted:
                raise self._interruption(trial) from None
            trial.set_user_attr(REASON, _clip(pruned.reason))
            raise optuna.TrialPruned(pruned.reason) from None
        except Outage as error:
            self._end_with(error, trial)
            raise
        except SweeperError as error:
            self._check_kept(trial)  # what a trial cannot write where nothing is, is not its fault
            killed = isinstance(error, TrialFailed) and error.cause is Cause.KILLED
            if self._session.stop_signal.interrupted and killed:
                raise self._interruption(trial) from None
            self._record_failure(trial, error)
            raise TrialFailed(str(error)) from None
        except BaseException as error:
            self._end_with(error, trial)
            raise

    @contextlib.contextmanager
    def _timed(self, trial: optuna.Trial) -> Iterator[None]:
        """Keep with ``trial`` how long the block took, also where it raises a trial's error."""
        began = time.monotonic()
        try:
            yield
        except Outage:
            raise
        except SweeperError:
            trial.set_user_attr(SECONDS, time.monotonic() - began)
            raise
        trial.set_user_attr(SECONDS, time.monotonic() - began)

    def _check_kept(self, trial: optuna.Trial) -> None:
        try:
            self._session.stop_signal.check_kept()
        except StudyLost as error:
            self._end_with(error, trial)
            raise

    def _prepare(
        self, trial: optuna.Trial, params: Mapping[str, Any]
    ) -> tuple[TrialJob, TrialSpec]:
        plan = self._plan
        try:
            config = number_job(plan.composer.trial(plan.space, params), trial.number)
        except ConfigError as error:
            raise TrialFailed(str(error)) from None
        folder = folder_of(config)
        trial.set_user_attr(FOLDER, self._session.status.relative(folder))
        overrides = plan.space.overrides(params)
        drawn_from = {
            key: distribution_to_json(values) for key, values in trial.distributions.items()
        }
        with self._session.stop_signal.changed:
            again = self._session.status.folders_before(trial.user_attrs.get(RETRY_OF))
            spec = TrialSpec(
                trial.number, params, overrides, folder, again=again, distributions=drawn_from
            )
            spec = replace(spec, context=self._session.hooks.trial_started(spec, config))
        return plan.make_job(spec, config), spec

    def _interruption(self, trial: optuna.Trial) -> Interrupted:
        self._requeue(trial)
        return Interrupted()

    def _end_with(self, error: BaseException, trial: optuna.Trial) -> None:
        """Let the sweep end with ``error``, unless that is about a trial taken for dead."""
        if not isinstance(error, UpdateFinishedTrialError):
            self._session.stop_signal.fail(error)
        # a store that takes nothing any more needs nothing: the trial is open there, and the next
        # controller finds it interrupted
        with contextlib.suppress(Exception):
            self._requeue(trial)

    def _requeue(self, trial: optuna.Trial, attempts: Mapping[str, int] | None = None) -> None:
        # behind the gate no other controller takes the trial for dead and does the same
        def again() -> None:
            frozen = self._session.study.get_trials(deepcopy=False)[trial.number]
            requeue(self._session.study, frozen, attempts)

        self._session.store.behind_gate(again)

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


def _clip(reason: str) -> str:
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}..."
