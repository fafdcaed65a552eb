"""The runs of a study in MLflow, and what its winner gets, without training anything."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from recipes import recipe

from sweeper.app.runs import StudyRuns, open_runs
from sweeper.app.winner import evaluate_winner, winning_recipe
from sweeper.config import Recipe
from sweeper.execute.executor import Placement
from sweeper.execute.inline import InlineExecutor
from sweeper.paths import TrialPaths
from sweeper.records import Owner, State, TrialRow, TrialSpec
from sweeper.train.building import build_classifier_for
from sweeper.train.trained_weights import save_learned

pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")


class Counting(InlineExecutor):
    """Counts the pieces of work."""

    def __init__(self) -> None:
        self.works = 0

    def run(self, *arguments: Any, **named: Any) -> Any:
        self.works += 1
        return super().run(*arguments, **named)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyRuns:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)  # MLflow leaves its address there
    return open_runs(uri, "digits", "digits", "study", {}, "A study.", [], frozenset())


def spec(folder: Path, number: int, again: Sequence[int] = ()) -> TrialSpec:
    before = tuple(folder / f"{one:04d}" for one in again)
    return TrialSpec(number, {"seed": number}, ("seed=1",), folder / f"{number:04d}", again=before)


def row(folder: Path, number: int, made: Recipe) -> TrialRow:
    """A complete trial: its recipe and what it learned are in its folder."""
    paths = TrialPaths(folder / f"{number:04d}")
    paths.folder.mkdir()
    resolved = made.model_dump(mode="json", exclude_unset=True)
    paths.config.write_text(yaml.safe_dump(resolved, sort_keys=False))
    return TrialRow(number, State.COMPLETE, (0.5,), 1.0, {"seed": number}, paths.folder)


def learn(made: Recipe, paths: TrialPaths, owner: Owner) -> None:
    trainer = build_classifier_for(made, 10).trainer(None)
    weights = [np.zeros_like(variable.numpy()) for variable in trainer.learned]
    save_learned(paths.learned, weights, made, owner)


@pytest.mark.slow
def test_a_winner_without_test_images_is_kept_once_and_ends_as_it_had_ended(
    tmp_path: Path, runs: StudyRuns, capsys: pytest.CaptureFixture[str]
) -> None:
    made = recipe("image_size=32", "phases.unfrozen=null", "dataset.test_fraction=0")
    best = row(tmp_path, 0, made)
    run = runs.start_trial(spec(tmp_path, 0))
    learn(made, TrialPaths(best.folder), Owner(run.run_id, "study"))
    ended = int(time.time() * 1000) - 3_600_000
    run.end(State.COMPLETE, ended=ended)
    executor = Counting()
    for _ in range(2):  # a study that is continued asks again
        recalled = winning_recipe(best, runs)
        evaluate_winner(best, recalled, runs, executor, Placement(), tmp_path / "winner.log")
        kept = runs.study.client.get_run(run.run_id)
        assert executor.works == 1
        assert kept.info.status == "FINISHED"
        assert kept.info.end_time == ended
        assert kept.data.tags["mlflow.note.content"].startswith("**State:** complete\n")
    assert "model_val_accuracy" in kept.data.metrics
    assert not any(name.startswith("test_") for name in kept.data.metrics)
    assert TrialPaths(best.folder).model.exists()
    assert "no test (dataset.test_fraction=0)" in capsys.readouterr().out
    runs.study.flush()
    study = runs.study.client.get_run(runs.study.run_id).data
    assert study.tags["sweeper.best_trial"] == "0"
    assert not any(name.startswith("test_") for name in study.metrics)
    # the model is to be found from the run
    models = kept.outputs.model_outputs
    assert len(models) == 1


def test_pruned_failed_and_repeated_trials_say_what_they_are(
    tmp_path: Path, runs: StudyRuns
) -> None:
    client = runs.study.client
    ends = {
        0: (State.PRUNED, "val_accuracy 0.41 at epoch 3, median 0.58", ""),
        1: (State.FAILED, "killed by SIGKILL", "killed"),
        2: (State.FAILED, "interrupted", ""),
    }
    started = {number: runs.start_trial(spec(tmp_path, number)) for number in ends}
    started[3] = runs.start_trial(spec(tmp_path, 3, again=[1]))
    started[4] = runs.start_trial(spec(tmp_path, 4, again=[2, 0]))
    for number, (state, reason, cause) in ends.items():
        started[number].end(state, reason, cause)
    found = {number: client.get_run(run.run_id) for number, run in started.items()}
    assert {number: run.info.run_name for number, run in found.items()} == {
        0: "0000 seed=0",
        1: "0001 seed=1",
        2: "0002 seed=2",
        3: "0003 seed=3 (retry of 0001)",
        4: "0004 seed=4 (retry of 0002)",
    }
    notes = {number: run.data.tags["mlflow.note.content"] for number, run in found.items()}
    for number, (state, reason, _) in ends.items():
        assert notes[number].startswith(f"**State:** {state}: {reason}\n\nTrial {number} of")
    assert notes[3].startswith("**State:** running\n")
    assert "which repeats trial 0001" in notes[3]


def test_a_trial_that_was_open_for_its_test_keeps_its_end(tmp_path: Path, runs: StudyRuns) -> None:
    client = runs.study.client
    tested, training = (runs.start_trial(spec(tmp_path, number)) for number in (0, 1))
    tested.end(State.COMPLETE, ended=1_000_000_000_000)
    tested.resume()  # and the controller dies
    rows = [TrialRow(number, State.COMPLETE, (0.5,), 1.0, {}, tmp_path) for number in (0, 1)]
    runs.end_orphans(rows)
    assert client.get_run(tested.run_id).info.end_time == 1_000_000_000_000
    assert client.get_run(training.run_id).info.end_time > 1_000_000_000_000
    assert {client.get_run(one.run_id).info.status for one in (tested, training)} == {"FINISHED"}


def test_a_study_is_found_again_with_the_description_that_it_had(
    tmp_path: Path, runs: StudyRuns
) -> None:
    runs.study.end(State.FAILED, "interrupted: SIGTERM")
    again = open_runs(runs.uri, "digits", "other", "study", {}, "Another.", [], frozenset())
    assert again.study.run_id == runs.study.run_id
    again.study.flush()
    found = again.study.client.get_run(again.study.run_id)
    assert found.info.run_name == "digits"
    assert found.data.tags["mlflow.note.content"] == "**State:** running\n\nA study."
