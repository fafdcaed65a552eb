"""What a study of fine-tunes does beyond running its trials: checks, MLflow runs, the winner."""

import contextlib
import json
import shlex
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import yaml
from omegaconf import DictConfig

from sweeper.config import HIGHER_IS_BETTER, Recipe, warnings
from sweeper.errors import ConfigError, SweeperError
from sweeper.execute.base import Executor, Place, SilentChannel
from sweeper.paths import StudyPaths, TrialPaths, write_aside
from sweeper.records import (
    COMPUTED,
    PREBUILT,
    SAVED_BY_CACHE,
    SAVED_BY_PRUNING,
    State,
    StudySummary,
    TrialRow,
    TrialSpec,
)
from sweeper.search.hooks import StudyHooks
from sweeper.search.progress import open_console
from sweeper.validation import parse

if TYPE_CHECKING:
    from sweeper.track.mlflow import MlflowRun


class FineTuneStudy(StudyHooks):
    """Hooks of :func:`sweeper.app.fine_tune`."""

    preload: ClassVar[tuple[str, ...]] = (
        "tensorflow",
        "keras",
        "mlflow",
        "mlflow.keras",
        "sklearn.datasets",
        "matplotlib.figure",
        "matplotlib.backends.backend_agg",
        "sweeper.app",
        "sweeper.train.trial",
        "sweeper.train.winner",
        "sweeper.train.prepare",
        "sweeper.train.prebuild",
        "sweeper.train.warm",
    )

    def __init__(self) -> None:
        self._run: MlflowRun | None = None
        self._open: dict[int, MlflowRun] = {}
        self._prebuilt = 0.0

    def preflight(self, candidates: Sequence[DictConfig], executor: Executor) -> None:
        """Parse every candidate, then look for the data and weights they name, in a process.

        What all trials share is computed there too.
        """
        faults: list[str] = []
        recipes: list[Recipe] = []
        for candidate in candidates:
            try:
                recipes.append(parse(candidate))
            except ConfigError as error:
                faults += error.faults
        faults += direction_faults(recipes[:1], candidates[0].hydra.sweeper.direction)
        if faults:
            raise ConfigError(faults)
        log = StudyPaths(Path(str(candidates[0].hydra.sweep.dir)).absolute()).prepare_log

        def check(_channel: object) -> list[str]:
            from sweeper.train.prepare import prepare

            return prepare(recipes)

        noticed = executor.run(check, log, SilentChannel())
        advice = [f"warning: {text}" for recipe in recipes for text in warnings(recipe)]
        for text in dict.fromkeys([*noticed, *advice]):
            open_console().print(text, soft_wrap=True, markup=False)
        # a new store takes MLflow seconds, in which the processor has other work
        opening = threading.Thread(target=_open_store, args=(recipes[0].tracking.uri,), daemon=True)
        opening.start()
        self._prebuilt = self._prebuild(recipes, executor, log)
        opening.join()

    def _prebuild(self, recipes: Sequence[Recipe], executor: Executor, log: Path) -> float:
        """Compute what all trials share; seconds that it took."""

        def work(_channel: object) -> float:
            from sweeper.train.prebuild import prebuild

            return prebuild(recipes)

        try:
            seconds: float = executor.run(work, log, SilentChannel())
        except SweeperError as error:
            # a trial that cannot do it either says so itself, and may be tried again
            reason = str(error).splitlines()[0]
            text = f"warning: what trials share was not computed before them: {reason}; log: {log}"
            open_console().print(text, soft_wrap=True, markup=False)
            return 0.0
        return seconds

    def fingerprint(self, config: DictConfig) -> Mapping[str, Any]:
        """The recipe; where it runs, is recorded and keeps what it computed may change."""
        recipe = parse(config)
        return recipe.model_dump(
            mode="json",
            exclude={"tracking": True, "executor": True, "cache": {"budget_gb": True}},
            exclude_unset=True,
        )

    def study_started(
        self, config: DictConfig, study_id: str, summary: StudySummary, running: frozenset[int]
    ) -> None:
        """Open the study's run, or go on with the one it has."""
        from sweeper.track.mlflow import (
            absolute_uri,
            connect,
            end_orphans,
            ensure_experiment,
            find_run,
            start_run,
        )

        recipe = parse(config)
        self._objectives = recipe.objectives
        self._uri = absolute_uri(recipe.tracking.uri)
        client = connect(self._uri)
        self._experiment = ensure_experiment(client, self._uri, recipe.tracking.experiment)
        tags = {"sweeper.role": "study", "sweeper.study_id": study_id}
        self._run = find_run(client, self._experiment, tags)
        if self._run is None:
            name = str(config.hydra.sweeper.study_name or recipe.name)
            tags["sweeper.command"] = command(sys.argv[1:])
            self._run = start_run(client, self._experiment, name, tags)
        else:
            self._run.resume()
            end_orphans(client, self._experiment, self._run.run_id, summary.rows, running)
        # once for all trials, by this controller or one before it
        earlier = client.get_run(self._run.run_id).data.metrics.get(PREBUILT, 0.0)
        self._run.log_metrics({PREBUILT: earlier + self._prebuilt}, step=0)

    def trial_started(self, spec: TrialSpec, config: DictConfig) -> Mapping[str, str]:
        """Open the trial's run below the study's."""
        from sweeper.track.mlflow import start_run

        assert self._run is not None
        tags = {
            "sweeper.role": "trial",
            "mlflow.parentRunId": self._run.run_id,
            "sweeper.trial_number": str(spec.number),
            "sweeper.command": command(spec.overrides),
        }
        run = start_run(self._run.client, self._experiment, f"trial {spec.number:04d}", tags)
        self._open[spec.number] = run
        return {"uri": self._uri, "run_id": run.run_id}

    def trial_finished(self, row: TrialRow, summary: StudySummary) -> None:
        """Close the trial's run, and keep what the best trials learned, and only that."""
        run = self._open.pop(row.number, None)
        if run is not None:  # a trial whose recipe did not compose has none
            log = TrialPaths(row.folder).log
            if row.state is State.FAILED and log.exists():
                run.log_file(log, "logs")  # the process may have died before it could
            run.end(row.state, row.reason, row.cause)
        from sweeper.report.leaderboard import write_leaderboard

        kept = {best.number for best in summary.front}
        for other in summary.rows:
            if other.number not in kept:
                trial = TrialPaths(other.folder)
                trial.learned.unlink(missing_ok=True)
                trial.model.unlink(missing_ok=True)  # the best of an earlier sweep of the study
        write_leaderboard(summary, StudyPaths(summary.folder).leaderboard)

    def trial_interrupted(self, number: int, reason: str) -> None:
        """Close the trial's run, which another controller may have opened."""
        run = self._open.pop(number, None) or self._find_trial_run(number)
        if run is not None:
            run.end(State.FAILED, f"interrupted: {reason}")

    def study_finished(self, summary: StudySummary, executor: Executor, place: Place) -> None:
        """Test and keep the winner, close the study's run, and show what came out."""
        from sweeper.report.leaderboard import print_table, write_leaderboard
        from sweeper.track.mlflow import end_orphans

        assert self._run is not None
        # of another controller that died after its last trial
        end_orphans(self._run.client, self._experiment, self._run.run_id, summary.rows)
        paths, console = StudyPaths(summary.folder), open_console()
        write_leaderboard(summary, paths.leaderboard)
        print_table(summary, console)
        for path in (paths.results, paths.leaderboard, paths.master):
            self._run.log_file(path, "study")
        self._close_ledger(summary)
        if summary.best is None:
            self._run.end(State.FAILED, "no trial completed")
            return
        if not TrialPaths(summary.best.folder).config.exists():
            raise SweeperError(
                f"the best trial's folder {_shown(summary.best.folder)} is gone, so it can be "
                "neither tested nor kept; start a new study with hydra.sweeper.study_name=<name>"
            )
        write_best_recipe(summary)
        self._run.log_file(paths.best_recipe, "study")
        self._crown(summary.best, paths, executor, place)
        self._keep_models(summary, paths, executor, place)
        self._run.end(State.COMPLETE)
        folder = _shown(summary.folder)
        console.print(f"best recipe:   {folder}/{paths.best_recipe.name}", soft_wrap=True)
        console.print(
            f"run it again:  python -m sweeper --config-dir {folder} --config-name best",
            soft_wrap=True,
        )
        console.print(f"compare runs:  {ui_command(self._uri)}", soft_wrap=True)

    def study_interrupted(self, reason: str) -> None:
        """Close the runs that are open; the same command goes on with the study."""
        for run in [*self._open.values(), self._run]:
            if run is not None:
                run.end(State.FAILED, f"interrupted: {reason}")

    def _crown(self, best: TrialRow, paths: StudyPaths, executor: Executor, place: Place) -> None:
        """Give the best trial its test result and its model, unless it has them already."""
        assert self._run is not None
        run = self._find_trial_run(best.number)
        if run is None:
            raise SweeperError(
                f"the run of trial {best.number}, the best, is not in MLflow at {self._uri}; start "
                "a new study with hydra.sweeper.study_name=<name>"
            )
        tested = run.client.get_run(run.run_id).data.metrics
        if "test_accuracy" not in tested:
            trial, uri, run_id = TrialPaths(best.folder), self._uri, run.run_id

            def work(_channel: object) -> dict[str, float]:
                from sweeper.train.winner import finish

                return finish(_recipe_of(trial), trial, uri, run_id)

            tested = executor.run(work, paths.winner_log, SilentChannel(), place)
            run.end(State.COMPLETE)
        test = {key: value for key, value in tested.items() if key.startswith("test_")}
        values: dict[str, float] = dict(zip(self._objectives, best.values, strict=True))
        found = {f"best_{name}": value for name, value in values.items()}
        self._run.log_metrics({**found, **test}, step=best.number)
        self._run.set_tags({"sweeper.best_trial": str(best.number)})
        open_console().print(
            f"best trial {best.number}: {_spelled(values)}, {spelled_test(test)}",
            soft_wrap=True,
        )

    def _keep_models(
        self, summary: StudySummary, paths: StudyPaths, executor: Executor, place: Place
    ) -> None:
        """Make the models of the other trials on the front."""
        front = [TrialPaths(row.folder) for row in summary.front]
        lacking = [trial for trial in front if trial.learned.exists() and not trial.model.exists()]

        def work(_channel: object) -> None:
            from sweeper.train.winner import keep

            for trial in lacking:
                keep(_recipe_of(trial), trial)

        if lacking:
            executor.run(work, paths.winner_log, SilentChannel(), place)

    def _close_ledger(self, summary: StudySummary) -> None:
        """Add up what all trials computed and did not have to, and say it.

        One that was tried again counts no more: its epochs are those that its successor began with.
        """
        from sweeper.track.mlflow import metrics_below

        assert self._run is not None
        client, run_id = self._run.client, self._run.run_id
        of_runs = metrics_below(client, self._experiment, run_id)
        trials = [of_runs.get(row.number, {}) for row in summary.rows if row.counts]
        total = {
            name: sum(metrics.get(name, 0.0) for metrics in trials)
            for name in (COMPUTED, SAVED_BY_CACHE, SAVED_BY_PRUNING)
        }
        before_trials = client.get_run(run_id).data.metrics.get(PREBUILT, 0.0)
        total[COMPUTED] += before_trials
        total[SAVED_BY_CACHE] -= before_trials
        self._run.log_metrics(total, step=0)
        open_console().print(
            f"computed {total[COMPUTED]:.0f} s; saved {total[SAVED_BY_CACHE]:.0f} s by the cache, "
            f"{total[SAVED_BY_PRUNING]:.0f} s by pruning",
            soft_wrap=True,
        )

    def _find_trial_run(self, number: int) -> "MlflowRun | None":
        from sweeper.track.mlflow import find_run

        assert self._run is not None
        tags = {"mlflow.parentRunId": self._run.run_id, "sweeper.trial_number": str(number)}
        return find_run(self._run.client, self._experiment, tags)


def _open_store(uri: str) -> None:
    """Have MLflow imported and its tables made before they are needed."""
    from sweeper.track.mlflow import absolute_uri, connect

    with contextlib.suppress(SweeperError):  # the study says so when it opens its run
        connect(absolute_uri(uri))


def _recipe_of(trial: TrialPaths) -> Recipe:
    return Recipe.model_validate_json(json.dumps(yaml.safe_load(trial.config.read_text())))


def direction_faults(recipes: Sequence[Recipe], direction: Any) -> list[str]:
    """What is wrong with ``hydra.sweeper.direction`` for what the recipes are judged by."""
    directions = [direction] if isinstance(direction, str) else list(direction)
    faults = []
    for recipe in recipes:
        good = ["maximize" if HIGHER_IS_BETTER[name] else "minimize" for name in recipe.objectives]
        if directions != good:
            wanted = good[0] if len(good) == 1 else f"[{','.join(good)}]"
            faults.append(
                f"hydra.sweeper.direction must be {wanted} for objectives="
                f"[{','.join(recipe.objectives)}], got {direction}"
            )
    return faults


def write_best_recipe(summary: StudySummary) -> None:
    """Write the best trial's recipe as a config that Hydra runs: ``--config-name best``."""
    assert summary.best is not None
    trial, paths = TrialPaths(summary.best.folder), StudyPaths(summary.folder)
    recipe = yaml.safe_load(trial.config.read_text())
    for key in ("executor", "tracking"):  # where it runs and is recorded is the reader's matter
        del recipe[key]
    choices = yaml.safe_load(trial.hydra.read_text())["hydra"]["runtime"]["choices"]
    groups = [{f"override {g}": c} for g, c in choices.items() if g in recipe]
    content = {"defaults": ["config", *groups, "_self_"], **recipe}
    header = (
        f"# {summary.name}: trial {summary.best.number}, the best of {len(summary.rows)}, "
        f"{_spelled(dict(zip(recipe['objectives'], summary.best.values, strict=True)))}\n"
        f"# python -m sweeper --config-dir {_shown(summary.folder)} --config-name best\n"
    )
    write_aside(paths.best_recipe, header + yaml.safe_dump(content, sort_keys=False))


def _spelled(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in values.items())


def spelled_test(test: Mapping[str, float]) -> str:
    """The test result for a person, with how sure it is."""
    low, high = test["test_accuracy_low"], test["test_accuracy_high"]
    return f"test accuracy {test['test_accuracy']:.4f} (95 %: {low:.3f} to {high:.3f})"


def command(overrides: Sequence[str]) -> str:
    """The shell command that runs one recipe again."""
    return f"python -m sweeper {shlex.join(overrides)}"


def ui_command(uri: str) -> str:
    """The address of the MLflow UI on the runs at ``uri``, or the shell command that opens it."""
    if uri.startswith("http"):
        return uri
    return f"mlflow ui --host 127.0.0.1 --backend-store-uri {shlex.quote(uri)}"


def _shown(path: Path) -> Path:
    """``path`` as a person in this folder would type it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
