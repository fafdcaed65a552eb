"""One ``-m``: from Hydra's master configuration and command line to a finished study."""

import contextlib
import functools
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cloudpickle
import optuna
from hydra.core.singleton import Singleton
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf

from sweeper.display.console import open_console
from sweeper.display.interface import Outline
from sweeper.display.progress import open_progress
from sweeper.errors import ConfigError, Findings, MissingInput, SweeperError, SweepInterrupted
from sweeper.execute.executor import Executor
from sweeper.execute.inline import InlineExecutor
from sweeper.execute.process import ProcessExecutor
from sweeper.paths import StudyPaths, undone_on
from sweeper.records import State, StudySummary, TrialSpec
from sweeper.search.attributes import FOLDER, STUDY_ID, THREADS
from sweeper.search.hooks import hooks_of
from sweeper.search.interrupts import heed_interrupts
from sweeper.search.job import Application, TrialJob
from sweeper.search.plan import planned, print_plan
from sweeper.search.queue import requeue_interrupted, warm_start
from sweeper.search.request import Request
from sweeper.search.results import write_results
from sweeper.search.runner import TrialPlan
from sweeper.search.script_import import check_guard
from sweeper.search.settings.samplers import build_pruner, grid_size
from sweeper.search.settings.sweep_settings import WarmStart
from sweeper.search.slots import Slots
from sweeper.search.status import StudyStatus, ran_out_of_memory
from sweeper.search.stopping import Stopping, StopSignal
from sweeper.search.stores.exclusive import Store
from sweeper.search.stores.opening import claimed, open_store, storage_faults, written_by
from sweeper.search.study import (
    Study,
    check_fingerprint,
    find_study,
    open_study,
    put_aside,
    remove_empty,
)
from sweeper.watched_files import WatchedFiles

Task = Callable[[DictConfig], Any]

_PRELOAD_FIRST = "sweeper.collector"
_PRELOAD_LAST = ("__main__", "sweeper.search.fork_warmup")
"""What the fork server imports for every application: its script, and what a job needs."""


class Sweep:
    """Search over ``task``'s configuration as ``hydra.sweeper`` and the command line say.

    Raises:
        ConfigError: with every fault of the settings, or of the search space.
    """

    def __init__(
        self,
        mapping: Mapping[str, Any],
        arguments: Sequence[str],
        task: Task,
        master: DictConfig,
        context: HydraContext,
    ) -> None:
        self._began = time.monotonic()
        self._hooks = hooks_of(task)()
        self._request = Request(mapping, arguments, master, context, self._hooks.default_space)
        self._task = task
        self._context = context
        self._console = open_console()

    def _say(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)

    def run(self) -> StudySummary:
        """Check, open the study, show what is planned, run its trials, show the results.

        Raises:
            SweeperError: before any trial exists, when what was asked for cannot run; or at the
                end, when no trial completed, or too many failed.
            SweepInterrupted: after Ctrl-C, when all is closed.
        """
        settings = self._request.settings
        self._check()
        with claimed(settings.storage, self._request.name, self._request.folder):
            self._say(f"checking what study {self._request.name} needs, before its first trial")
            with undone_on((ConfigError, MissingInput), self._request.folder):
                executor = self._open_executor()
                self._hooks.preflight(self._request.corners, executor)
            store = open_store(settings.storage, self._request.name, settings.heartbeat_interval)
            try:
                with store.gate():
                    study = self._open_study(store)
                    left = requeue_interrupted(study, dead=not store.shared)
                # from here on: what trials share may be computed for minutes before the first one
                kept = WatchedFiles(written_by(settings.storage))
                names = self._hooks.objectives(self._request.corners[0])
                status = StudyStatus(study, self._request.folder, names)
                for trial in ran_out_of_memory(status.refresh()):
                    study.learn_oom(trial)
                total = self._total(study)
                entries = planned(self._request, names, total, status.counted)
                print_plan(self._hooks.plan(entries), self._console)
                if left:
                    self._say(f"{len(left)} trials were interrupted; their parameters go first")
                if total is None or status.counted < total or status.waiting:
                    self._hooks.prebuild(executor)
                return self._search(study, store, executor, status, total, kept)
            finally:
                store.close()

    def _check(self) -> None:
        """Refuse at once, with all faults, what can be seen without doing anything.

        Raises:
            ConfigError, MissingInput: something is wrong or not there.
        """
        findings = Findings()
        findings.add(storage_faults(self._request.settings, self._request.folder))
        with findings.collected():
            self._hooks.check(self._request.corners)
        findings.raise_if_any()

    def _total(self, study: Study) -> int | None:
        """How many trials there shall be in all; None where something else ends the study."""
        wanted, size = self._request.settings.n_trials, grid_size(study.sampler)
        return min(wanted or size, size) if size else wanted

    def _open_executor(self) -> Executor:
        if self._request.settings.executor.kind == "inline":
            return InlineExecutor()
        check_guard()
        launcher = str(self._request.master.hydra.runtime.choices.get("hydra/launcher") or "basic")
        if launcher != "basic":
            self._say(f"hydra/launcher={launcher} is not used: trials run in the sweeper's slots")
        preload = (_PRELOAD_FIRST, *self._hooks.preload, *_PRELOAD_LAST)
        return ProcessExecutor(preload, StudyPaths(self._request.folder).server_log)

    def _open_study(self, store: Store) -> Study:
        """Continue the study or begin it, and see that it is the one that was asked for."""
        settings = self._request.settings
        known, study_id = find_study(self._request.name, store), None
        if known is not None and not settings.resume:
            self._say(
                f"the study so far is kept as {put_aside(known, store, self._request.folder)}"
            )
        elif known is not None:
            study_id = remove_empty(known, store)
        sampler = self._request.sampler
        for text in self._request.notes:
            self._say(text)
        pruner = build_pruner(settings.pruner)
        if len(settings.directions) > 1 and not isinstance(pruner, optuna.pruners.NopPruner):
            self._say("pruning is off: Optuna prunes studies of one objective only")
        study = open_study(self._request.name, store, settings.directions, sampler, pruner)
        if study_id is not None:
            study.set_user_attr(STUDY_ID, study_id)
        check_fingerprint(study, self._request.fingerprint(self._hooks.fingerprint))
        if FOLDER not in study.user_attrs:
            study.set_user_attr(FOLDER, str(self._request.folder))
        self._keep_threads(study)
        if settings.warm_start is not None:
            self._warm_start(study, settings.warm_start, store)
        return study

    def _keep_threads(self, study: Study) -> None:
        """Give trials as many threads as the study began with: curves depend on their number."""
        asked, began = self._request.settings.executor.threads, study.user_attrs.get(THREADS)
        if began is None:
            study.set_user_attr(THREADS, self._request.threads)
        elif asked is not None and asked != began:
            self._say(
                f"warning: the study began with {began} threads a trial and continues with "
                f"{asked}: curves of the same parameters and seed may differ between the two; "
                "leave out executor.threads to keep them comparable"
            )
        elif began != self._request.threads:
            self._say(f"each trial has {began} threads, as the study began")
            self._request.use_threads(began)

    def _warm_start(self, study: Study, source: WarmStart, store: Store) -> None:
        storage = source.storage or store.storage
        try:
            other = optuna.load_study(study_name=source.study_name, storage=storage)
        except KeyError:
            names = ", ".join(optuna.get_all_study_names(storage)) or "none"
            raise ConfigError(
                [f"hydra.sweeper.warm_start: there is no study {source.study_name}; known: {names}"]
            ) from None
        taken = warm_start(study, other, self._request.space.accepts)
        if taken:
            self._say(f"the sampler knows {taken} trials of study {source.study_name}")

    def _search(
        self,
        study: Study,
        store: Store,
        executor: Executor,
        status: StudyStatus,
        total: int | None,
        kept: WatchedFiles,
    ) -> StudySummary:
        request, settings = self._request, self._request.settings
        StopSignal(kept).check_kept()
        paths = StudyPaths(request.folder)
        with store.gate():  # controllers that begin at once open one run between them
            study_id = study.user_attrs.get(STUDY_ID) or uuid.uuid4().hex
            # first: nobody would find the run of a controller that dies before it can say its id
            study.set_user_attr(STUDY_ID, study_id)
            status.refresh()
            self._hooks.study_started(
                request.corners[0],
                study_id,
                status.summary(),
                status.running,
                request.space.in_words(),
            )
        paths.folder.mkdir(parents=True, exist_ok=True)
        kept.add(paths.folder)
        OmegaConf.save(request.master, paths.master)

        stopping = Stopping(
            total, settings.timeout, settings.target, settings.patience, settings.max_failure_rate
        )
        outline = Outline(
            tuple(place.name for place in request.places),
            total,
            tuple(request.space.searched),
            self._hooks.reported(request.corners[0]),
            self._began,
        )
        progress = open_progress(self._console, outline, status.summary())
        plan = TrialPlan(
            request.space,
            request.composer,
            self._make_job,
            request.custom,
            settings.retries.by_cause,
            settings.trial_timeout,
        )
        slots = Slots(
            study,
            store,
            status,
            plan,
            stopping,
            request.points,
            executor,
            request.places,
            self._hooks,
            progress,
            kept,
        )

        try:
            try:
                interrupts = heed_interrupts(slots.interrupt, executor.kill, progress.note)
                with interrupts as signals:
                    slots.run()
            except BaseException:
                progress.close()
                with contextlib.suppress(Exception):  # what ended the sweep is what a person sees
                    _settle(status, paths)
                raise
            progress.close()
            summary = _settle(status, paths)
            if slots.interrupted:
                more = "; the same command continues" if settings.storage else ""
                text = f"interrupted after {status.counted} trials{more}"
                raise SweepInterrupted(text, *signals[:1])
            if stopping.failed:
                raise SweeperError(f"{stopping.reason}\nlogs: {request.folder}")
            if stopping.reason:
                self._say(f"ended early: {stopping.reason}")
            with store.finishing():
                self._hooks.study_finished(summary, executor, request.places[0])
        except BaseException as error:
            with contextlib.suppress(SweeperError):
                self._hooks.study_interrupted(str(error) or type(error).__name__)
            raise
        if all(row.state is not State.COMPLETE for row in summary.rows):
            last = status.last(State.FAILED)
            reason = f" ({last.reason})" if last else ""
            raise SweeperError(
                f"no trial of {summary.name} completed{reason}; the log of each is in its folder "
                f"under {request.folder}"
            )
        return summary

    def _make_job(self, spec: TrialSpec, config: DictConfig) -> TrialJob:
        return TrialJob(spec, config, self._application)

    @functools.cached_property
    def _application(self) -> Application | bytes:
        n_objectives = len(self._request.settings.directions)
        if self._request.settings.executor.kind == "inline":
            return Application(self._task, self._context, n_objectives)
        state = Singleton.get_state()
        application = Application(self._task, self._context, n_objectives, state)
        pickled: bytes = cloudpickle.dumps(application)
        return pickled


def _settle(status: StudyStatus, paths: StudyPaths) -> StudySummary:
    """Write what the trials have resulted in so far."""
    status.refresh()
    summary = status.summary()
    write_results(summary, paths.results)
    return summary
