"""The task that Hydra runs: fine-tune one recipe, alone or as a trial of a study."""

import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from omegaconf import DictConfig

from sweeper.app.fine_tune_study import FineTuneStudy
from sweeper.app.start import Start
from sweeper.config import Recipe, unused_overrides, warnings
from sweeper.display.wording import command, spelled_test, ui_command
from sweeper.errors import (
    ConfigError,
    MissingInput,
    SweeperError,
    TrackerError,
    TrialFailed,
    TrialPruned,
)
from sweeper.execute.executor import Asked, Placement
from sweeper.execute.failures import failure
from sweeper.execute.output import output_to
from sweeper.execute.process import ProcessExecutor
from sweeper.exits import reported, stopped_by_signals
from sweeper.paths import TrialPaths, write_aside
from sweeper.records import EpochReport, Owner, State, TrialSpec
from sweeper.search.hooks import with_hooks
from sweeper.search.job import CurrentTrial, current_trial
from sweeper.validation import flatten, parse

if TYPE_CHECKING:
    from sweeper.track.mlflow import MlflowRun
    from sweeper.train.building import Known
    from sweeper.train.recorder import Report


@with_hooks(FineTuneStudy)
def fine_tune(config: DictConfig) -> float | tuple[float, ...]:
    """Fine-tune what ``config`` describes; returns its objective, or several."""
    trial = current_trial()
    values = _alone(config) if trial is None else _in_study(config, trial)
    return values if len(values) > 1 else values[0]


def _in_study(config: DictConfig, trial: CurrentTrial) -> tuple[float, ...]:
    from sweeper.track.mlflow import MlflowRun, connect
    from sweeper.train.building import find
    from sweeper.train.folds import settled

    recipe = settled(parse(config))
    context = trial.spec.context
    run = MlflowRun(connect(context["uri"]), context["run_id"])
    paths = TrialPaths(trial.spec.folder)
    for earlier in trial.spec.again:
        if not paths.checkpoints:
            paths.take_checkpoints(TrialPaths(earlier))
    known = find(context["known"], recipe)
    owner = Owner(run.run_id, context["study_id"])
    return _train(recipe, paths, run, trial.report, owner, prune_high=True, known=known)


def _alone(config: DictConfig) -> tuple[float, ...]:
    """Fine-tune once, for a person: faults in one message, epochs on the screen."""
    from hydra.core.hydra_config import HydraConfig

    hydra = HydraConfig.get()
    paths = TrialPaths(Path(hydra.runtime.output_dir))
    with reported(_interruption(paths)), stopped_by_signals():
        recipe = parse(config)
        os.environ.update(_place(recipe).environment)  # before TensorFlow looks for devices
        try:
            with output_to(paths.log) as screen, _failures_in_log():
                return _run_alone(recipe, paths, list(hydra.overrides.task), screen)
        except (ConfigError, MissingInput):
            Start.undo()
            raise
        except TrialPruned as pruned:
            raise SweeperError(f"stopped: {pruned.reason}\nlog: {paths.log}") from None
        except TrialFailed as failed:
            raise SweeperError(f"{failed.reason}\nlog: {paths.log}") from None


@contextlib.contextmanager
def _failures_in_log() -> Iterator[None]:
    """Within the block what no one expects goes to the log, with its traceback.

    Raises:
        TrialFailed, MachineFault: in one sentence what happened.
    """
    try:
        yield
    except (SweeperError, BrokenPipeError):
        raise
    except Exception as error:
        with contextlib.suppress(OSError):
            traceback.print_exc()
        raise failure(error) from error


def _interruption(paths: TrialPaths) -> Callable[[], str]:
    def say() -> str:
        if not paths.checkpoints:
            return "interrupted"
        words = [word for word in sys.argv[1:] if not word.startswith("hydra.run.dir=")]
        return f"interrupted\nto continue: {command([*words, f'hydra.run.dir={paths.folder}'])}"

    return say


def _place(recipe: Recipe) -> Placement:
    executor = recipe.executor
    asked = Asked(executor.devices, None, n_jobs=1, threads=executor.threads)
    (placement,) = ProcessExecutor.placements(asked)
    return placement


def _run_alone(
    recipe: Recipe, paths: TrialPaths, overrides: list[str], screen: Any
) -> tuple[float, ...]:
    from rich.console import Console

    from sweeper.app.descriptions import alone_name, alone_note
    from sweeper.display.interface import Outline
    from sweeper.display.line_progress import LineProgress
    from sweeper.track.mlflow import connect, ensure_experiment, start_run
    from sweeper.track.mlflow_store import absolute_uri, answers
    from sweeper.train.folds import settled
    from sweeper.train.prepare import prepare
    from sweeper.train.runtime import numerics
    from sweeper.train.winning_model import finish

    console = Console(file=screen, width=200, markup=False, emoji=False)
    lines = LineProgress(console, Outline(total=1))
    numerics.set_up(recipe)  # TensorFlow reads what XLA is to do once, before its first operation
    advice = [*warnings(recipe), *unused_overrides([recipe], [overrides])]
    prepared = prepare([recipe])
    for text in [*prepared.data, *prepared.noticed, *(f"warning: {text}" for text in advice)]:
        lines.note(text)
    recipe = settled(recipe)
    uri = absolute_uri(recipe.tracking.uri)
    client = connect(uri)
    experiment = ensure_experiment(client, uri, recipe.tracking.experiment)
    tags = {"sweeper.role": "trial", "sweeper.command": command(overrides)}
    note = alone_note(recipe.name, overrides, paths.folder)
    run = start_run(client, experiment, alone_name(recipe.name, overrides), tags, note)
    spec = TrialSpec(0, {}, tuple(overrides), paths.folder)

    def on_screen(
        value: float,
        step: int,
        phase: str,
        metrics: Any,
        *,
        compared: bool,
        steps: int | None,
    ) -> None:
        if metrics:
            lines.epoch(0, spec, EpochReport(step, value, phase, metrics, compared, steps))

    try:
        values = _train(recipe, paths, run, on_screen, Owner(run.run_id), prune_high=False)
        test = finish(recipe, paths, uri, run.run_id)
    except BaseException as error:
        state = State.PRUNED if isinstance(error, TrialPruned) else State.FAILED
        reason = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error)
        with contextlib.suppress(TrackerError):
            if answers(uri):
                run.end(state, reason or type(error).__name__)
        raise
    run.end(State.COMPLETE)
    sanity = client.get_run(run.run_id).data.tags
    named = zip(recipe.objectives, values, strict=True)
    results = ", ".join(f"{name} {value:.4g}" for name, value in named)
    lines.note(f"{results}, {spelled_test(test)}")
    if "sanity.reason" in sanity:
        lines.note(f"warning: do not trust this run: {sanity['sanity.reason']}")
    lines.note(f"files: {paths.folder}\ncompare runs: {ui_command(uri)}")
    return values


def _train(
    recipe: Recipe,
    paths: TrialPaths,
    run: "MlflowRun",
    report: "Report",
    owner: Owner,
    prune_high: bool,
    known: "Known | None" = None,
) -> tuple[float, ...]:
    from sweeper.train.trial import Trial

    resolved = recipe.model_dump(mode="json", exclude_unset=True)
    write_aside(paths.config, yaml.safe_dump(resolved, sort_keys=False))
    run.log_params(flatten(resolved))
    run.set_tags({"sweeper.warnings": "\n".join(warnings(recipe))} if warnings(recipe) else {})
    run.log_file(paths.config, "config")
    if paths.overrides.exists():  # Hydra writes none with hydra.output_subdir=null
        run.log_file(paths.overrides, "config")
    try:
        return Trial(recipe, paths, run, report, prune_high, known, owner).run()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        if paths.log.exists():  # inline work writes none
            run.log_file(paths.log, "logs")
