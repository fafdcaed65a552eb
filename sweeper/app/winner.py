"""What the best trials get when a study ends: the winner its test, those of the front a model."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sweeper.config import Recipe
from sweeper.display.console import open_console
from sweeper.display.stage_progress import LongWork
from sweeper.display.wording import spelled_test, spelled_values
from sweeper.errors import SweeperError
from sweeper.execute.executor import (
    Channel,
    Executor,
    Placement,
    SilentChannel,
    WorkFiles,
    run_logged,
)
from sweeper.paths import shown_path
from sweeper.records import Advance, TrialRow
from sweeper.report.reader import read_recipe
from sweeper.study_files.result import Result, Status, read_result, write
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.track.journal import Journal, data_of, last_run
from sweeper.train.trained_weights import load_trained_weights

if TYPE_CHECKING:
    from sweeper.app.runs import StudyRuns


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
    recipe = read_recipe(trial)
    load_trained_weights(trial.learned, recipe, runs.owner(best.number))
    return recipe


def evaluate_winner(
    best: TrialRow,
    recipe: Recipe,
    runs: "StudyRuns",
    executor: Executor,
    place: Placement,
    log: Path,
) -> Mapping[str, float]:
    """Give the best trial its test result and its model, unless it has them already.

    Returns:
        Results of the test and of the kept model, by the names that MLflow has them under.

    Raises:
        SweeperError: its test failed.
    """
    trial, owner = TrialPaths(best.folder), runs.owner(best.number)
    known = read_result(trial.result) or Result(Status.COMPLETE)
    of_model = known.tested
    if of_model is None:

        def work(channel: Channel) -> dict[str, float]:
            from sweeper.train.winning_model import finish

            return finish(recipe, trial, owner, lambda *done: channel.note(Advance(*done)))

        files = WorkFiles((trial.folder,))
        tested = run_logged(executor, work, log, LongWork(open_console()), place, files)
        runs.delivery.add([trial.mlflow])  # it may have been delivered whole by an earlier command
        named = ("test_", "model_")
        of_model = {key: value for key, value in tested.items() if key.startswith(named)}
        write(trial.result, replace(known, metrics={**known.metrics, **tested}, tested=of_model))
    values: dict[str, float] = dict(zip(recipe.objectives, best.values, strict=True))
    runs.study.log_metrics(of_model, step=best.number)
    runs.study.log_data(data_of(last_run(Journal(trial.mlflow).entries())))
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
            keep(read_recipe(trial), trial, owner)

    if lacking:
        files = WorkFiles(tuple(trial.folder for trial, _ in lacking))
        run_logged(executor, work, log, SilentChannel(), place, files)
