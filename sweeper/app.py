"""The task that Hydra runs: fine-tune one recipe, alone or as a trial of a study."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from omegaconf import DictConfig

from sweeper.config import Recipe
from sweeper.errors import SweeperError, TrialPruned
from sweeper.execute.output import output_to
from sweeper.paths import TrialPaths, write_aside
from sweeper.records import EpochReport, State, TrialSpec
from sweeper.search.hooks import with_hooks
from sweeper.search.job import current_trial, report
from sweeper.study import FineTuneStudy, command, ui_command
from sweeper.validation import flatten, parse

if TYPE_CHECKING:
    from sweeper.track.mlflow import MlflowRun


@with_hooks(FineTuneStudy)
def fine_tune(config: DictConfig) -> float:
    """Fine-tune what ``config`` describes; returns the validation accuracy."""
    trial = current_trial()
    return _alone(config) if trial is None else _in_study(config, trial)


def _in_study(config: DictConfig, trial: TrialSpec) -> float:
    from sweeper.track.mlflow import MlflowRun, connect

    recipe = parse(config)
    run = MlflowRun(connect(trial.context["uri"]), trial.context["run_id"])
    return _train(recipe, TrialPaths(trial.folder), run, report, prune_high=True)


def _alone(config: DictConfig) -> float:
    """Fine-tune once, for a person: faults in one message, epochs on the screen."""
    from hydra.core.hydra_config import HydraConfig

    hydra = HydraConfig.get()
    paths = TrialPaths(Path(hydra.runtime.output_dir))
    try:
        recipe = parse(config)
        with output_to(paths.log) as screen:
            return _run_alone(recipe, paths, list(hydra.overrides.task), screen)
    except TrialPruned as pruned:
        sys.exit(f"stopped: {pruned.reason}\nlog: {paths.log}")
    except SweeperError as error:
        sys.exit(str(error))


def _run_alone(recipe: Recipe, paths: TrialPaths, overrides: list[str], screen: Any) -> float:
    from rich.console import Console

    from sweeper.search.progress import LineProgress
    from sweeper.track.mlflow import absolute_uri, connect, ensure_experiment, start_run
    from sweeper.train.prepare import prepare
    from sweeper.train.winner import finish

    lines = LineProgress(Console(file=screen, width=200), total=1)
    prepare([recipe])
    uri = absolute_uri(recipe.tracking.uri)
    client = connect(uri)
    experiment = ensure_experiment(client, uri, recipe.tracking.experiment)
    tags = {"sweeper.role": "trial", "sweeper.command": command(overrides)}
    run = start_run(client, experiment, paths.folder.name, tags)
    spec = TrialSpec(0, {}, tuple(overrides), paths.folder)

    def on_screen(value: float, step: int, phase: str = "", metrics: Any = None) -> None:
        lines.epoch(spec, EpochReport(step, value, phase, metrics or {}))

    try:
        value = _train(recipe, paths, run, on_screen, prune_high=False)
        test = finish(recipe, paths, uri, run.run_id)
    except BaseException as error:
        state = State.PRUNED if isinstance(error, TrialPruned) else State.FAILED
        run.end(state, str(error) or type(error).__name__)
        raise
    run.end(State.COMPLETE)
    sanity = client.get_run(run.run_id).data.tags
    lines.note(f"validation accuracy {value:.4f}, test accuracy {test['test_accuracy']:.4f}")
    if "sanity.reason" in sanity:
        lines.note(f"warning: do not trust this run: {sanity['sanity.reason']}")
    lines.note(f"files: {paths.folder}\ncompare runs: {ui_command(uri)}")
    return value


def _train(
    recipe: Recipe, paths: TrialPaths, run: "MlflowRun", heard: Any, prune_high: bool
) -> float:
    from sweeper.train.trial import Trial

    resolved = recipe.model_dump(mode="json")
    write_aside(paths.config, yaml.safe_dump(resolved, sort_keys=False))
    run.log_params(flatten(resolved))
    run.log_file(paths.config, "config")
    run.log_file(paths.overrides, "config")
    try:
        return Trial(recipe, paths, run, heard, prune_high).run()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        run.log_file(paths.log, "logs")
