"""What the best trials get when a study ends: the winner its test, those of the front a model."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from sweeper.config import Recipe
from sweeper.display.console import open_console
from sweeper.display.wording import spelled_test, spelled_values
from sweeper.errors import SweeperError
from sweeper.execute.executor import Executor, Placement, SilentChannel, run_logged
from sweeper.paths import TrialPaths, shown_path
from sweeper.records import State, TrialRow
from sweeper.track.mlflow import MlflowRun
from sweeper.train.trained_weights import load_learned

if TYPE_CHECKING:
    from sweeper.app.runs import StudyRuns


_KEPT = "sweeper.model_kept"
"""Tag of a trial's run: its model is logged. A recipe without test images gives no other sign."""


def winning_recipe(best: TrialRow, runs: "StudyRuns") -> Recipe:
    """The recipe of the best trial, from its folder.

    Raises:
        SweeperError: the folder is gone, or holds the files of another run.
    """
    trial = TrialPaths(best.folder)
    if not trial.config.exists():
        raise SweeperError(
            f"the best trial's folder {shown_path(best.folder)} is gone, so it can be neither "
            "tested nor kept; start a new study with hydra.sweeper.study_name=<name>"
        )
    recipe = _recipe_of(trial)
    load_learned(trial.learned, recipe, runs.owner(best.number))
    return recipe


def evaluate_winner(
    best: TrialRow,
    recipe: Recipe,
    runs: "StudyRuns",
    executor: Executor,
    place: Placement,
    log: Path,
) -> dict[str, float]:
    """Give the best trial its test result and its model, unless it has them already.

    Returns:
        Results of the test and of the kept model, by the names that MLflow has them under.

    Raises:
        SweeperError: its run is gone, or its test failed.
    """
    owner = runs.owner(best.number)
    known = runs.study.client.get_run(owner.run)
    tested = known.data.metrics
    if "test_accuracy" not in tested and _KEPT not in known.data.tags:
        trial, uri = TrialPaths(best.folder), runs.uri

        def work(_channel: object) -> dict[str, float]:
            from sweeper.train.winning_model import finish

            return finish(recipe, trial, uri, owner.run, owner.study)

        tested = run_logged(executor, work, log, SilentChannel(), place)
        run = MlflowRun(runs.study.client, owner.run)
        run.set_tags({_KEPT: "true"})
        # the test opened it again, hours after its training it may be
        run.end(State.COMPLETE, ended=known.info.end_time)
    of_model = {key: value for key, value in tested.items() if key.startswith(("test_", "model_"))}
    values: dict[str, float] = dict(zip(recipe.objectives, best.values, strict=True))
    runs.study.log_metrics(of_model, step=best.number)
    runs.study.copy_data(known)
    runs.study.set_tags({"sweeper.best_trial": str(best.number)})
    open_console().print(
        f"best trial {best.number}: {spelled_values(values)}, {spelled_test(of_model)}",
        soft_wrap=True,
    )
    return of_model


def keep_models(
    front: Iterable[TrialRow], runs: "StudyRuns", executor: Executor, place: Placement, log: Path
) -> None:
    """Make the models of the trials on the front that have none yet."""
    trials = [(TrialPaths(row.folder), runs.owner(row.number)) for row in front]
    lacking = [
        (trial, owner)
        for trial, owner in trials
        if trial.learned.exists() and not trial.model.exists()
    ]

    def work(_channel: object) -> None:
        from sweeper.train.winning_model import keep

        for trial, owner in lacking:
            keep(_recipe_of(trial), trial, owner)

    if lacking:
        run_logged(executor, work, log, SilentChannel(), place)


def _recipe_of(trial: TrialPaths) -> Recipe:
    return Recipe.model_validate_json(json.dumps(yaml.safe_load(trial.config.read_text())))
