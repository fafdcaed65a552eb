"""One ``-m``: from Hydra's master configuration and command line to a finished study."""

import contextlib
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf

from sweeper.disk.files import undone_on
from sweeper.disk.watched_files import WatchedFiles
from sweeper.display.console import open_console
from sweeper.errors import ConfigError, Findings, MissingInput, SweeperError
from sweeper.execute.executor import Executor
from sweeper.records import State, StudySummary
from sweeper.search.attributes import STUDY_ID
from sweeper.search.continuing import begin_or_continue
from sweeper.search.finishing import finishing
from sweeper.search.gain.gain_estimate import estimated
from sweeper.search.gain.gain_watch import GainWatch, error_faults
from sweeper.search.hooks import hooks_of
from sweeper.search.plan import planned, print_plan
from sweeper.search.queue import requeue_interrupted
from sweeper.search.request import Request
from sweeper.search.running.slot_work import SlotWork
from sweeper.search.script_import import check_guard
from sweeper.search.session import Session
from sweeper.search.settings.samplers import grid_size
from sweeper.search.status import StudyStatus, ran_out_of_memory
from sweeper.search.stopping import Stopping, StopSignal
from sweeper.search.stores.exclusive import Store
from sweeper.search.stores.opening import claimed, open_store, storage_faults, written_by
from sweeper.search.study import Study
from sweeper.search.trials.job import Application
from sweeper.study_files.gain import write_gain
from sweeper.study_files.study_paths import StudyPaths

Task = Callable[[DictConfig], Any]

_PRELOAD_FIRST = "sweeper.collector"
_PRELOAD_LAST = ("__main__", "sweeper.search.running.fork_warmup")
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
        began = time.monotonic()
        self._hooks = hooks_of(task)()
        self._request = Request(mapping, arguments, master, context, self._hooks.default_space)
        self._console = open_console()
        application = Application(task, context, len(self._request.settings.directions))
        self._work = SlotWork(self._request, self._hooks, application, self._console, began)

    def _say(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)

    def run(self) -> StudySummary:
        """Check, open the study, show what is planned, run its trials, show the results.

        Raises:
            SweeperError: before any trial exists, when what was asked for cannot run; or at the
                end, when no trial completed, or too many failed.
            SweepInterrupted: after Ctrl-C, when all is closed.
        """
        request, settings = self._request, self._request.settings
        self._check()
        with claimed(settings.storage, request.name, request.folder):
            self._say(f"checking what study {request.name} needs, before its first trial")
            with undone_on((ConfigError, MissingInput), request.folder):
                executor = self._open_executor()
                self._hooks.preflight(request.corners, executor)
            store = open_store(
                settings.storage,
                request.name,
                settings.heartbeat_interval,
                settings.storage_timeout,
            )
            store.say = self._say
            try:
                return self._search(self._open_session(store, executor))
            finally:
                store.close()

    def _check(self) -> None:
        """Refuse at once, with all faults, what can be seen without doing anything.

        Raises:
            ConfigError, MissingInput: something is wrong or not there.
        """
        findings = Findings()
        findings.add(storage_faults(self._request.settings, self._request.folder))
        findings.add(error_faults(self._request.settings.min_gain, self._hooks))
        with findings.collected():
            self._hooks.check(self._request.corners)
        with findings.collected():
            _ = self._request.placements
        findings.raise_if_any()

    def _open_executor(self) -> Executor:
        kind = self._request.executor_kind
        if kind.in_processes:
            check_guard()
            chosen = self._request.master.hydra.runtime.choices.get("hydra/launcher")
            if chosen not in (None, "basic"):
                self._say(f"hydra/launcher={chosen} is not used: trials run in the sweeper's slots")
        preload = (_PRELOAD_FIRST, *self._hooks.preload, *_PRELOAD_LAST)
        return kind.open(preload, StudyPaths(self._request.folder).server_log, self._request.asked)

    def _open_session(self, store: Store, executor: Executor) -> Session:
        """Open the study, show the plan, and compute what all trials share."""
        request, hooks = self._request, self._hooks
        with store.gate():
            study = begin_or_continue(request, store, hooks, self._say)
            left = requeue_interrupted(study, dead=not store.shared)
        # from here on: what trials share may be computed for minutes before the first one
        watched = WatchedFiles(written_by(request.settings.storage))
        names = hooks.objectives(request.corners[0])
        status = StudyStatus(study, request.folder, names)
        for trial in ran_out_of_memory(status.refresh()):
            study.learn_oom(trial)
        total = _total(request, study)
        entries = planned(request, names, total, status.counted)
        print_plan(hooks.plan(entries), self._console)
        if left:
            self._say(f"{len(left)} trials were interrupted; their parameters go first")
        if total is None or status.counted < total or status.waiting:
            hooks.prebuild(executor)
        stop_signal = StopSignal(watched)
        stop_signal.check_kept()
        self._start(study, store, status)
        StudyPaths(request.folder).folder.mkdir(parents=True, exist_ok=True)
        watched.add(request.folder)
        OmegaConf.save(request.master, StudyPaths(request.folder).master)
        progress = self._work.display(total, status.summary())
        return Session(study, store, status, executor, hooks, progress, stop_signal)

    def _start(self, study: Study, store: Store, status: StudyStatus) -> None:
        """Give the study its id, and let the application open what it records under it."""
        with store.gate():  # controllers that begin at once open one run between them
            study_id = study.user_attrs.get(STUDY_ID) or uuid.uuid4().hex
            # first: nobody would find the run of a controller that dies before it can say its id
            study.set_user_attr(STUDY_ID, study_id)
            status.refresh()
            self._hooks.study_started(
                self._request.corners[0],
                study_id,
                status.summary(),
                status.running,
                self._request.space.in_words(),
            )

    def _search(self, session: Session) -> StudySummary:
        """Run the trials and close the study, in order or interrupted."""
        request, settings = self._request, self._request.settings
        stopping = Stopping(
            _total(request, session.study),
            settings.timeout,
            settings.target,
            settings.patience,
            settings.max_failure_rate,
            self._gain_watch(session.study),
        )
        try:
            summary = self._work.run_trials(session, stopping)
            if stopping.reason:
                self._say(f"ended early: {stopping.reason}")
            self._say_gain(session.study, summary)
            with finishing(session.store, request.folder, self._say):
                summary = self._work.run_again(session, summary)
                placement = request.placements[0]
                self._hooks.study_finished(summary, session.executor, placement)
        except BaseException as error:
            with contextlib.suppress(SweeperError):
                self._hooks.study_interrupted(str(error) or type(error).__name__)
            raise
        if all(row.state is not State.COMPLETE for row in summary.rows):
            last = session.status.last(State.FAILED)
            reason = f" ({last.reason})" if last else ""
            raise SweeperError(
                f"no trial of {summary.name} completed{reason}; the log of each is in its folder "
                f"under {request.folder}"
            )
        return summary

    def _gain_watch(self, study: Study) -> GainWatch | None:
        least = self._request.settings.min_gain
        return None if least is None else GainWatch(study, least, self._hooks.figure_error)

    def _say_gain(self, study: Study, summary: StudySummary) -> None:
        """Say and keep what more trials could gain."""
        error = self._hooks.figure_error(summary)
        gain = estimated(study.get_trials(deepcopy=False), study.directions, error)
        write_gain(StudyPaths(self._request.folder).gain, gain)
        self._say(gain.spelled(summary.value_names[0]))


def _total(request: Request, study: Study) -> int | None:
    """How many trials there shall be in all; None where something else ends the study."""
    wanted, size = request.settings.n_trials, grid_size(study.sampler)
    return min(wanted or size, size) if size else wanted
