"""One ``-m``: from Hydra's master configuration and command line to a finished study."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.singleton import Singleton
from hydra.errors import HydraException
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf

from sweeper.errors import ConfigError, SweeperError
from sweeper.execute.process import ProcessExecutor
from sweeper.paths import StudyPaths
from sweeper.records import StudySummary, TrialSpec
from sweeper.search.hooks import StudyHooks, hooks_of
from sweeper.search.job import TrialJob
from sweeper.search.loop import TrialLoop, number_job
from sweeper.search.progress import open_console, open_progress
from sweeper.search.space import SearchSpace, parse_space
from sweeper.search.study import (
    RUN_ID,
    build_sampler,
    check_fingerprint,
    close_interrupted,
    count_known,
    open_study,
    rows,
    summarize,
)
from sweeper.validation import flatten


@dataclass(frozen=True)
class SweepSettings:
    """What stands under ``hydra.sweeper``."""

    sampler: DictConfig
    direction: str
    storage: str | None
    study_name: str | None
    n_trials: int
    params: DictConfig | None


def run_sweep(
    settings: SweepSettings,
    arguments: Sequence[str],
    task: Callable[[DictConfig], Any],
    master: DictConfig,
    context: HydraContext,
) -> StudySummary:
    """Search over ``task``'s configuration as ``settings`` and the command line say.

    Raises:
        SweeperError: before any trial exists, when what was asked for cannot run; or at the end,
            when no trial completed.
    """
    _check(settings)
    parser = OverridesParser.create(config_loader=context.config_loader)
    params = OmegaConf.to_container(settings.params) if settings.params else {}
    assert isinstance(params, dict)
    space = parse_space(parser, {str(k): v for k, v in params.items()}, arguments)
    folder = Path(str(master.hydra.sweep.dir)).absolute()
    hooks = hooks_of(task)()

    def compose(overrides: tuple[str, ...]) -> DictConfig:
        try:
            return context.config_loader.load_sweep_config(master, list(overrides))
        except HydraException as error:
            raise ConfigError([" ".join(str(error).split())]) from None

    candidates = _compose_corners(space, compose)
    console = open_console()
    console.print(f"checking {len(candidates)} corners of the search space before the first trial")
    executor = ProcessExecutor(hooks.preload, StudyPaths(folder).server_log)
    hooks.preflight(candidates, executor)

    known = count_known(settings.study_name, settings.storage)
    sampler = build_sampler(settings.sampler, known)
    study = open_study(settings.study_name, settings.storage, settings.direction, sampler)
    check_fingerprint(study, _fingerprint(space, candidates[0], hooks))
    interrupted = close_interrupted(study)
    done = len(rows(study, folder))
    run_id = hooks.study_started(candidates[0], study.user_attrs.get(RUN_ID))
    if run_id is not None:
        study.set_user_attr(RUN_ID, run_id)
    folder.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(master, StudyPaths(folder).master)

    def make_job(spec: TrialSpec, config: DictConfig) -> TrialJob:
        return TrialJob(spec, config, task, context, Singleton.get_state())

    progress = open_progress(console, settings.n_trials, done)
    if interrupted:
        progress.note(f"closed {len(interrupted)} interrupted trials; their parameters go first")
    if done:
        progress.note(
            f"study {study.study_name} goes on: {done} of {settings.n_trials} trials done"
        )
    loop = TrialLoop(study, space, folder, compose, make_job, executor, hooks, progress)
    try:
        try:
            loop.run(settings.n_trials)
        finally:
            progress.close()
        summary = summarize(study, folder)
        hooks.study_finished(summary, executor)
    except BaseException as error:
        hooks.study_interrupted(str(error) or type(error).__name__)
        raise
    if summary.best is None:
        raise SweeperError(
            f"no trial of {summary.name} completed; the log of each is in its folder under {folder}"
        )
    return summary


def _fingerprint(space: SearchSpace, candidate: DictConfig, hooks: StudyHooks) -> dict[str, str]:
    """What the trials have in common: search space, and configuration at its first corner."""
    config = OmegaConf.masked_copy(candidate, [str(key) for key in candidate if key != "hydra"])
    common = {key: str(value) for key, value in flatten(hooks.fingerprint(config)).items()}
    # what is searched has a value of its own in each trial
    searched = {key.lstrip("+"): str(values) for key, values in space.searched.items()}
    return common | searched


def _check(settings: SweepSettings) -> None:
    faults = []
    if settings.direction not in ("minimize", "maximize"):
        faults.append(
            f"hydra.sweeper.direction must be minimize or maximize, got {settings.direction!r}"
        )
    if isinstance(settings.n_trials, bool) or settings.n_trials < 1:
        faults.append(f"hydra.sweeper.n_trials must be >= 1, got {settings.n_trials!r}")
    if faults:
        raise ConfigError(faults)


def _compose_corners(
    space: SearchSpace, compose: Callable[[tuple[str, ...]], DictConfig]
) -> list[DictConfig]:
    """Compose each corner of ``space``; ConfigError with the faults of all of them."""
    faults: list[str] = []
    candidates = []
    for params in space.corners():
        try:
            candidates.append(number_job(compose(space.overrides(params)), 0))
        except ConfigError as error:
            faults += error.faults
    if faults:
        raise ConfigError(faults)
    return candidates
