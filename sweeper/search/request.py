"""What one ``-m`` asks for: settings, search space, starting points, and what they compose to."""

import functools
import uuid
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf

from sweeper.errors import ConfigError
from sweeper.execute.executor import Asked, Placement
from sweeper.execute.kinds import EXECUTORS
from sweeper.records import Value
from sweeper.search.results import read_best
from sweeper.search.settings.dry_run import dry_run
from sweeper.search.settings.migration import written_as_params
from sweeper.search.settings.samplers import build_sampler
from sweeper.search.settings.suitability import check_sampler
from sweeper.search.settings.sweep_settings import SweepSettings
from sweeper.search.space.search_space import parse_space
from sweeper.search.trials.compose import Composer, hide_secrets
from sweeper.search.trials.custom import ask_function, find_function
from sweeper.search.trials.job_folder import number_job
from sweeper.validation import flatten


class Request:
    """``hydra.sweeper`` and the command line, read and found to make sense together.

    Attributes:
        settings: ``hydra.sweeper``.
        master: Hydra's configuration of the sweep itself.
        folder: of the sweep, absolute.
        name: of the study.
        executor_kind: of the executor that runs the trials.
        placements: one for each slot.
        threads: of each trial on the CPU; :meth:`use_threads` changes it.
        space: what is searched.
        defaulted: whether that is the application's default, as nothing is named.
        sampler: of the study.
        notes: what a person should know of the search space, and of the sampler on it.
        composer: makes a trial's configuration.
        custom: the person's ``custom_search_space``, to be called with each trial.
        points: parameter sets to try first.
        corners: composed configurations that between them hold every choice of the space and both
            ends of every range.

    Raises:
        ConfigError: with every fault of the settings, or of the search space.
    """

    def __init__(
        self,
        mapping: Mapping[str, Any],
        arguments: Sequence[str],
        master: DictConfig,
        context: HydraContext,
        default_space: Callable[[DictConfig], Mapping[str, Any]] = lambda _config: {},
    ) -> None:
        self.settings = settings = SweepSettings.read(mapping)
        hide_secrets(master)
        self.master = master
        self.folder = Path(str(master.hydra.sweep.dir)).absolute()
        job = str(master.hydra.job.name)
        # a stored study without a name is one of many
        unnamed = f"{job}-{uuid.uuid4().hex[:8]}" if settings.storage else job
        self.name = settings.study_name or unnamed
        self.executor_kind = EXECUTORS[settings.executor.kind]
        self.threads = settings.executor.threads or self.executor_kind.threads(self._asked())
        self.composer = Composer(context, master)
        parser = OverridesParser.create(config_loader=context.config_loader)
        params, self.notes = self._params()
        self.space = parse_space(parser, params, arguments, self.composer)
        self.defaulted = False
        if not self.space.searched and settings.custom_search_space is None:
            params = {**default_space(self.composer.trial(self.space, {})), **params}
            self.space = parse_space(parser, params, arguments, self.composer)
            self.defaulted = bool(self.space.searched)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # seen when the settings were read
            self.sampler = build_sampler(settings.sampler, self._grid)
        self.notes += check_sampler(self.sampler, self.space)
        dry_run(settings.sampler, settings.pruner, self.space, settings.directions)
        self.custom = self._custom_space()
        self.points = self._starting_points()
        self.corners = self._compose_corners()

    def _grid(self) -> dict[str, list[Value]]:
        try:
            return self.space.grid()
        except ConfigError as error:
            if not self.defaulted:
                raise
            raise ConfigError(
                [
                    *error.faults,
                    "nothing is named to search, so these are the default; name what to try, "
                    "such as batch_size=16,32 on the command line, or set hydra.sweeper.params",
                ]
            ) from None

    def use_threads(self, threads: int) -> None:
        """Let each trial on the CPU have ``threads``, as many as the study began with."""
        self.threads = threads
        self.__dict__.pop("placements", None)

    @functools.cached_property
    def placements(self) -> tuple[Placement, ...]:
        """One for each slot; a cluster is looked at for the first time.

        Raises:
            ConfigError: they are not there, or do not fit.
        """
        return self.executor_kind.placements(self.asked)

    @property
    def asked(self) -> Asked:
        """The slots that are asked for."""
        return self._asked(self.threads)

    def _asked(self, threads: int | None = None) -> Asked:
        executor = self.settings.executor
        return Asked(
            executor.devices,
            executor.trials_per_device,
            self.settings.n_jobs,
            threads,
            executor.address or Asked.address,
            executor.num_cpus,
            executor.num_gpus,
        )

    def fingerprint(self, of: Callable[[DictConfig], Mapping[str, Any]]) -> dict[str, str]:
        """What the trials have in common: the search space, and ``of`` their configuration."""
        corner = self.corners[0]
        config = OmegaConf.masked_copy(corner, [str(key) for key in corner if key != "hydra"])
        common = {key: str(value) for key, value in flatten(of(config)).items()}
        # what is searched has a value of its own in each trial
        searched = {key.lstrip("+"): text for key, text in self.space.describe().items()}
        return common | searched

    def _params(self) -> tuple[dict[str, Any], list[str]]:
        """The search space as a recipe writes it, and what to say of an old way to write it."""
        # from the master: in what Hydra hands to a sweeper each ${...} is resolved, too early
        sweeper = self.master.hydra.sweeper
        params = OmegaConf.to_container(sweeper.get("params") or OmegaConf.create({}))
        assert isinstance(params, dict)
        old = sweeper.get("search_space")
        if not old or params:
            both = ["hydra.sweeper.search_space is not used beside hydra.sweeper.params"]
            return {str(key): value for key, value in params.items()}, both if old else []
        written = written_as_params(OmegaConf.to_container(old, resolve=True))
        lines = ", ".join(f"{key}: {text}" for key, text in written.items())
        return {**written}, [
            "hydra.sweeper.search_space is the way of Hydra 1.1; hydra.sweeper.params has it as "
            f"{{{lines}}}"
        ]

    def _custom_space(self) -> Callable[[optuna.Trial], None] | None:
        path = self.settings.custom_search_space
        if path is None:
            return None
        return functools.partial(ask_function, path, find_function(path), self.master)

    def _starting_points(self) -> list[dict[str, Any]]:
        points, faults = [], []
        for index, entry in enumerate(self.settings.enqueue or ()):
            where = f"hydra.sweeper.enqueue[{index}]"
            for params in read_best(Path(entry)) if isinstance(entry, str) else [entry]:
                # what a custom search space asks for is known to itself only
                own = {key for key in params if self.custom and key not in self.space.searched}
                written = {key: value for key, value in params.items() if key not in own}
                point, wrong = self.space.check(written, where)
                points.append(point | {key: params[key] for key in own})
                faults += wrong
        if points and self.settings.sampler.get("_target_") == "optuna.samplers.GridSampler":
            faults.append("hydra.sweeper.enqueue: a grid tries all of its points anyway")
        if faults:
            raise ConfigError(faults)
        return points

    def _compose_corners(self) -> list[DictConfig]:
        """Compose each corner of the space; ConfigError with the faults of all of them."""
        faults: list[str] = []
        composed = []
        for params in self.space.corners():
            try:
                composed.append(number_job(self.composer.trial(self.space, params), 0))
            except ConfigError as error:
                faults += error.faults
        if faults:
            raise ConfigError(faults)
        return composed
