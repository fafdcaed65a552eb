"""What the best trials get when a study ends: the winner its test, those of the front a model."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from sweeper.config import Recipe
from sweeper.errors import SweeperError
from sweeper.execute.base import Executor, Place, SilentChannel
from sweeper.paths import TrialPaths
from sweeper.records import State, TrialRow
from sweeper.report.wording import spelled_test, spelled_values
from sweeper.search.progress import open_console

if TYPE_CHECKING:
    from sweeper.study.runs import StudyRuns


def evaluate_winner(
    best: TrialRow,
    objectives: Sequence[str],
    runs: "StudyRuns",
    executor: Executor,
    place: Place,
    log: Path,
) -> None:
    """Give the best trial its test result and its model, unless it has them already.

    Raises:
        SweeperError: its run is gone, or its test failed.
    """
    run = runs.find_trial(best.number)
    if run is None:
        raise SweeperError(
            f"the run of trial {best.number}, the best, is not in MLflow at {runs.uri}; start "
            "a new study with hydra.sweeper.study_name=<name>"
        )
    tested = run.client.get_run(run.run_id).data.metrics
    if "test_accuracy" not in tested:
        trial, uri, run_id = TrialPaths(best.folder), runs.uri, run.run_id

        def work(_channel: object) -> dict[str, float]:
            from sweeper.train.winner import finish

            return finish(_recipe_of(trial), trial, uri, run_id)

        tested = executor.run(work, log, SilentChannel(), place)
        run.end(State.COMPLETE)
    test = {key: value for key, value in tested.items() if key.startswith("test_")}
    values: dict[str, float] = dict(zip(objectives, best.values, strict=True))
    found = {f"best_{name}": value for name, value in values.items()}
    runs.study.log_metrics({**found, **test}, step=best.number)
    runs.study.set_tags({"sweeper.best_trial": str(best.number)})
    open_console().print(
        f"best trial {best.number}: {spelled_values(values)}, {spelled_test(test)}",
        soft_wrap=True,
    )


def keep_models(front: Iterable[TrialRow], executor: Executor, place: Place, log: Path) -> None:
    """Make the models of the trials on the front that have none yet."""
    trials = [TrialPaths(row.folder) for row in front]
    lacking = [trial for trial in trials if trial.learned.exists() and not trial.model.exists()]

    def work(_channel: object) -> None:
        from sweeper.train.winner import keep

        for trial in lacking:
            keep(_recipe_of(trial), trial)

    if lacking:
        executor.run(work, log, SilentChannel(), place)


def _recipe_of(trial: TrialPaths) -> Recipe:
    return Recipe.model_validate_json(json.dumps(yaml.safe_load(trial.config.read_text())))
