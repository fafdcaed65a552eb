"""One ``-m``: from Hydra's master configuration and command line to a finished study."""

import functools
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cloudpickle
import optuna
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.singleton import Singleton
from hydra.types import HydraContext
from hydra.utils import get_method
from omegaconf import DictConfig, OmegaConf

from sweeper.errors import ConfigError, SweeperError, SweepInterrupted
from sweeper.execute.base import Executor
from sweeper.execute.devices import plan_places, usable_cores, visible_devices
from sweeper.execute.inline import InlineExecutor
from sweeper.execute.process import ProcessExecutor
from sweeper.paths import StudyPaths
from sweeper.records import State, StudySummary, TrialSpec
from sweeper.search.compose import Composer, number_job
from sweeper.search.hooks import hooks_of
from sweeper.search.interrupts import heed_interrupts
from sweeper.search.job import Application, TrialJob
from sweeper.search.opening import claimed, open_store
from sweeper.search.progress import open_console, open_progress
from sweeper.search.queue import requeue_interrupted, warm_start
from sweeper.search.results import read_best, write_results
from sweeper.search.samplers import build_pruner, build_sampler, grid_size
from sweeper.search.settings import SweepSettings, WarmStart
from sweeper.search.slots import Slots, TrialPlan
from sweeper.search.space import parse_space
from sweeper.search.stopping import Stopping
from sweeper.search.store import Store
from sweeper.search.study import (
    FOLDER,
    STUDY_ID,
    Study,
    check_fingerprint,
    find_study,
    open_study,
    put_aside,
)
from sweeper.search.suitability import check_sampler
from sweeper.search.tally import Tally
from sweeper.validation import flatten

Task = Callable[[DictConfig], Any]

_PRELOAD = ("__main__", "sweeper.search.warm")
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
        self._settings = settings = SweepSettings.read(mapping)
        self._task = task
        self._master = master
        self._context = context
        self._folder = Path(str(master.hydra.sweep.dir)).absolute()
        self._hooks = hooks_of(task)()
        self._console = open_console()
        job = str(master.hydra.job.name)
        # a stored study without a name is one of many
        unnamed = f"{job}-{uuid.uuid4().hex[:8]}" if settings.storage else job
        self._name = settings.study_name or unnamed
        devices = settings.executor
        self._places = plan_places(
            devices.devices,
            devices.trials_per_device,
            settings.n_jobs,
            visible=visible_devices(),
            cores=usable_cores(),
        )
        self._composer = Composer(context, master)
        parser = OverridesParser.create(config_loader=context.config_loader)
        # from the master: in what Hydra hands to a sweeper each ${...} is resolved, too early
        node = master.hydra.sweeper.get("params") or OmegaConf.create({})
        params = OmegaConf.to_container(node, resolve=False)
        assert isinstance(params, dict)
        named = {str(key): value for key, value in params.items()}
        self._space = parse_space(parser, named, arguments, self._composer)
        self._custom = self._custom_space()
        self._points = self._starting_points()
        self._corners = self._compose_corners()

    def _say(self, text: str) -> None:
        self._console.print(text, soft_wrap=True, markup=False)

    def _custom_space(self) -> Callable[[optuna.Trial], None] | None:
        path = self._settings.custom_search_space
        if path is None:
            return None
        try:
            function = get_method(path)
        except Exception as error:
            text = " ".join(str(error).split())
            raise ConfigError([f"hydra.sweeper.custom_search_space={path}: {text}"]) from None
        return functools.partial(function, self._master)

    def _starting_points(self) -> list[dict[str, Any]]:
        points, faults = [], []
        for index, entry in enumerate(self._settings.enqueue):
            where = f"hydra.sweeper.enqueue[{index}]"
            for params in read_best(Path(entry)) if isinstance(entry, str) else [entry]:
                # what a custom search space asks for is known to itself only
                own = {key for key in params if self._custom and key not in self._space.searched}
                written = {key: value for key, value in params.items() if key not in own}
                point, wrong = self._space.check(written, where)
                points.append(point | {key: params[key] for key in own})
                faults += wrong
        if points and self._settings.sampler.get("_target_") == "optuna.samplers.GridSampler":
            faults.append("hydra.sweeper.enqueue: a grid tries all of its points anyway")
        if faults:
            raise ConfigError(faults)
        return points

    def _compose_corners(self) -> list[DictConfig]:
        """Compose each corner of the space; ConfigError with the faults of all of them."""
        faults: list[str] = []
        composed = []
        for params in self._space.corners():
            try:
                composed.append(number_job(self._composer.trial(self._space, params), 0))
            except ConfigError as error:
                faults += error.faults
        if faults:
            raise ConfigError(faults)
        return composed

    def run(self) -> StudySummary:
        """Check, open the study, run its trials, say what came out.

        Raises:
            SweeperError: before any trial exists, when what was asked for cannot run; or at the
                end, when no trial completed, or too many failed.
            SweepInterrupted: after Ctrl-C, when all is closed.
        """
        settings = self._settings
        with claimed(settings.storage, self._name):
            corners = len(self._corners)
            count = f"{corners} corners" if corners > 1 else "the one corner"
            self._say(f"checking {count} of the search space before the first trial")
            executor = self._open_executor()
            self._hooks.preflight(self._corners, executor)
            store = open_store(settings.storage, self._name, settings.heartbeat_interval)
            try:
                with store.gate():
                    study = self._open_study(store)
                    left = requeue_interrupted(study, dead=not store.shared)
                if left:
                    self._say(f"{len(left)} trials were interrupted; their parameters go first")
                return self._search(study, store, executor)
            finally:
                store.close()

    def _open_executor(self) -> Executor:
        if self._settings.executor.kind == "inline":
            return InlineExecutor()
        launcher = str(self._master.hydra.runtime.choices.get("hydra/launcher") or "basic")
        if launcher != "basic":
            self._say(f"hydra/launcher={launcher} is not used: trials run in the sweeper's slots")
        preload = (*self._hooks.preload, *_PRELOAD)
        return ProcessExecutor(preload, StudyPaths(self._folder).server_log)

    def _open_study(self, store: Store) -> Study:
        """Continue the study or begin it, and see that it is the one that was asked for."""
        settings = self._settings
        known = find_study(self._name, store)
        if known is not None and not settings.resume:
            self._say(f"the study so far is kept as {put_aside(known, store, self._folder)}")
            known = None
        n_known = len(known.get_trials(deepcopy=False)) if known is not None else 0
        sampler = build_sampler(settings.sampler, n_known, self._space.grid)
        for text in check_sampler(sampler, self._space):
            self._say(text)
        pruner = build_pruner(settings.pruner)
        if len(settings.directions) > 1 and not isinstance(pruner, optuna.pruners.NopPruner):
            self._say("pruning is off: Optuna prunes studies of one objective only")
        study = open_study(self._name, store, settings.directions, sampler, pruner)
        check_fingerprint(study, self._fingerprint())
        if FOLDER not in study.user_attrs:
            study.set_user_attr(FOLDER, str(self._folder))
        if settings.warm_start is not None:
            self._warm_start(study, settings.warm_start, store)
        return study

    def _warm_start(self, study: Study, source: WarmStart, store: Store) -> None:
        storage = source.storage or store.storage
        try:
            other = optuna.load_study(study_name=source.study_name, storage=storage)
        except KeyError:
            names = ", ".join(optuna.get_all_study_names(storage)) or "none"
            raise ConfigError(
                [f"hydra.sweeper.warm_start: there is no study {source.study_name}; known: {names}"]
            ) from None
        taken = warm_start(study, other, self._space.accepts)
        if taken:
            self._say(f"the sampler knows {taken} trials of study {source.study_name}")

    def _fingerprint(self) -> dict[str, str]:
        """What the trials have in common: search space, and configuration at its first corner."""
        corner = self._corners[0]
        config = OmegaConf.masked_copy(corner, [str(key) for key in corner if key != "hydra"])
        common = {k: str(value) for k, value in flatten(self._hooks.fingerprint(config)).items()}
        # what is searched has a value of its own in each trial
        searched = {key.lstrip("+"): text for key, text in self._space.describe().items()}
        return common | searched

    def _search(self, study: Study, store: Store, executor: Executor) -> StudySummary:
        settings, paths = self._settings, StudyPaths(self._folder)
        tally = Tally(study, self._folder)
        with store.gate():  # controllers that begin at once open one run between them
            study_id = study.user_attrs.get(STUDY_ID) or uuid.uuid4().hex
            # first: nobody would find the run of a controller that dies before it can say its id
            study.set_user_attr(STUDY_ID, study_id)
            tally.refresh()
            self._hooks.study_started(self._corners[0], study_id, tally.summary(), tally.running)
        paths.folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self._master, paths.master)

        size = grid_size(study.sampler)
        total = min(settings.n_trials or size, size) if size else settings.n_trials
        if tally.counted:
            of = f" of {total}" if total else ""
            self._say(f"study {study.study_name} goes on: {tally.counted}{of} trials done")
        stopping = Stopping(
            total, settings.timeout, settings.target, settings.patience, settings.max_failure_rate
        )
        places = [place.name for place in self._places]
        progress = open_progress(self._console, places, total, tally.counted)
        plan = TrialPlan(
            self._space,
            self._composer,
            self._make_job,
            self._custom,
            settings.retries,
            settings.trial_timeout,
        )
        slots = Slots(
            study,
            store,
            tally,
            plan,
            stopping,
            self._points,
            executor,
            self._places,
            self._hooks,
            progress,
        )
        try:
            try:
                with heed_interrupts(slots.interrupt, executor.kill, progress.note):
                    slots.run()
            finally:
                progress.close()
                tally.refresh()
                summary = tally.summary()
                write_results(summary, paths.results)
            if slots.interrupted:
                goes_on = "; the same command goes on" if settings.storage else ""
                raise SweepInterrupted(f"interrupted after {tally.counted} trials{goes_on}")
            if stopping.failed:
                raise SweeperError(f"{stopping.reason}\nlogs: {self._folder}")
            if stopping.reason:
                self._say(f"ended early: {stopping.reason}")
            with store.finishing():
                self._hooks.study_finished(summary, executor, self._places[0])
        except BaseException as error:
            self._hooks.study_interrupted(str(error) or type(error).__name__)
            raise
        if all(row.state is not State.COMPLETE for row in summary.rows):
            last = tally.last(State.FAILED)
            reason = f" ({last.reason})" if last else ""
            raise SweeperError(
                f"no trial of {summary.name} completed{reason}; the log of each is in its folder "
                f"under {self._folder}"
            )
        return summary

    def _make_job(self, spec: TrialSpec, config: DictConfig) -> TrialJob:
        return TrialJob(spec, config, self._application)

    @functools.cached_property
    def _application(self) -> Application | bytes:
        n_objectives = len(self._settings.directions)
        if self._settings.executor.kind == "inline":
            return Application(self._task, self._context, n_objectives)
        state = Singleton.get_state()
        application = Application(self._task, self._context, n_objectives, state)
        pickled: bytes = cloudpickle.dumps(application)
        return pickled
