"""The runs of a study in MLflow, and what its winner gets, without training anything."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from recipes import recipe

from sweeper.app.outstanding import sync
from sweeper.app.runs import StudyRuns
from sweeper.app.winner import evaluate_winner, winning_recipe
from sweeper.config import Recipe
from sweeper.execute.executor import Placement
from sweeper.execute.inline import InlineExecutor
from sweeper.records import Owner, State, TrialRow, TrialSpec
from sweeper.study_files.result import read_result
from sweeper.study_files.study_paths import StudyPaths
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.track.backend.run_note import KEPT, NOTE
from sweeper.track.delivered import read_delivered
from sweeper.track.delivery import Delivery
from sweeper.track.journal import Journal
from sweeper.train.building import build_classifier_for
from sweeper.train.trained_weights import save_trained_weights


class Counting(InlineExecutor):
    """Counts the pieces of work."""

    def __init__(self) -> None:
        self.works = 0

    def run(self, *arguments: Any, **named: Any) -> Any:
        self.works += 1
        return super().run(*arguments, **named)


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[StudyRuns]:
    made = opened(tmp_path)
    made.start({}, "A study.")
    yield made
    made.delivery.hurry()
    made.delivery.finish()


def opened(folder: Path, study: str = "study") -> StudyRuns:
    delivery = Delivery(f"sqlite:///{folder}/mlflow.db", print)
    return StudyRuns(StudyPaths(folder), "digits", study, "digits", delivery)


def delivered(runs: StudyRuns, paths: TrialPaths | StudyPaths) -> Any:
    """The run in MLflow, once it has all of it."""
    assert not runs.delivery.finish()
    return runs.delivery.store.client.get_run(read_delivered(paths.mlflow).run_id)


def spec(folder: Path, number: int, again: Sequence[int] = ()) -> TrialSpec:
    before = tuple(folder / "trials" / f"{one:04d}" for one in again)
    return TrialSpec(
        number, {"seed": number}, ("seed=1",), folder / "trials" / f"{number:04d}", again=before
    )


def row(folder: Path, number: int, made: Recipe) -> TrialRow:
    """A complete trial: its recipe and what it learned are in its folder."""
    paths = TrialPaths(folder / "trials" / f"{number:04d}")
    resolved = made.model_dump(mode="json", exclude_unset=True)
    paths.config.write_text(yaml.safe_dump(resolved, sort_keys=False))
    return TrialRow(number, State.COMPLETE, (0.5,), 1.0, {"seed": number}, paths.folder)


def learn(made: Recipe, paths: TrialPaths, owner: Owner) -> None:
    split_model = build_classifier_for(made, 10).split_model(None).thaw()
    weights = [np.zeros_like(variable.numpy()) for variable in split_model.learned]
    save_trained_weights(paths.learned, weights, made, owner)


@pytest.mark.more
@pytest.mark.slow
def test_a_winner_without_test_images_is_kept_once_and_ends_as_it_had_ended(
    tmp_path: Path, runs: StudyRuns, capsys: pytest.CaptureFixture[str]
) -> None:
    made = recipe("image_size=32", "phases.unfrozen=null", "dataset.test_fraction=0")
    paths = runs.start_trial(spec(tmp_path, 0))
    best = row(tmp_path, 0, made)
    learn(made, paths, Owner("0", "study"))
    runs.end_trial(best)
    delivered(runs, paths)  # by a controller that died before it tested the winner
    runs = opened(tmp_path)
    runs.start({}, "A study.")
    runs.end_orphans([best])
    executor = Counting()
    for _ in range(2):  # a study that is continued asks again
        recalled = winning_recipe(best, runs)
        evaluate_winner(best, recalled, runs, executor, Placement(), tmp_path / "winner.log")
        assert executor.works == 1
    assert paths.model.exists()
    assert "no test (dataset.test_fraction=0)" in capsys.readouterr().out
    kept = delivered(runs, paths)
    assert kept.info.status == "FINISHED"
    (end,) = [one.time for one in Journal(paths.mlflow).entries() if one.kind == "end"]
    assert kept.info.end_time == end
    assert kept.data.tags["mlflow.note.content"].startswith("**State:** complete\n")
    assert "model_val_accuracy" in kept.data.metrics
    assert not any(name.startswith("test_") for name in kept.data.metrics)
    # the model is to be found from the run
    models = kept.outputs.model_outputs
    assert len(models) == 1
    study = delivered(runs, runs.paths).data
    assert study.tags["sweeper.best_trial"] == "0"
    assert not any(name.startswith("test_") for name in study.metrics)


def test_pruned_failed_and_repeated_trials_say_what_they_are(
    tmp_path: Path, runs: StudyRuns
) -> None:
    ends = {
        0: (State.PRUNED, "val_accuracy 0.41 at epoch 3, median 0.58", ""),
        1: (State.FAILED, "killed by SIGKILL", "killed"),
    }
    started = {number: runs.start_trial(spec(tmp_path, number)) for number in range(3)}
    started[3] = runs.start_trial(spec(tmp_path, 3, again=[1]))
    started[4] = runs.start_trial(spec(tmp_path, 4, again=[2, 0]))
    for number, (state, reason, cause) in ends.items():
        folder = started[number].folder
        runs.end_trial(TrialRow(number, state, (), 1.0, {}, folder, reason, cause=cause))
    runs.interrupt_trial(started[2], "interrupted: SIGTERM")
    found = {number: delivered(runs, paths) for number, paths in started.items()}
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
    results = {number: read_result(paths.result) for number, paths in started.items()}
    assert {number: one and (str(one.state), one.reason) for number, one in results.items()} == {
        0: ("pruned", ends[0][1]),
        1: ("failed", ends[1][1]),
        2: ("interrupted", "interrupted: SIGTERM"),
        3: None,
        4: None,
    }


def test_what_a_dead_controller_left_open_is_closed(tmp_path: Path) -> None:
    """Its trials ended, were interrupted, run elsewhere; MLflow was never reached."""
    dead = opened(tmp_path)
    dead.study.start(dead._new("digits", dead._of_study, {}, ""))
    started = [dead.start_trial(spec(tmp_path, number)) for number in range(4)]
    ended = [
        TrialRow(number, State.PRUNED, (), 1.0, {}, started[number].folder, "too slow")
        for number in (0, 1)
    ]
    dead.end_trial(ended[0])
    other = opened(tmp_path, "another")  # whose trials lie in the same folder
    stranger = other.start_trial(spec(tmp_path, 9))
    runs = opened(tmp_path)
    runs.start({}, "")
    runs.end_orphans(ended, running=frozenset({3}))
    status = [delivered(runs, paths).info.status for paths in started]
    assert status == ["KILLED", "KILLED", "FAILED", "RUNNING"]
    assert read_delivered(stranger.mlflow).offset == 0
    result = read_result(started[2].result)
    assert result is not None
    assert result.state == "interrupted"
    assert [one.kind for one in Journal(started[0].mlflow).entries()] == ["start", "end"]


def test_a_study_is_found_again_with_the_description_that_it_had(
    tmp_path: Path, runs: StudyRuns
) -> None:
    runs.study.end(State.FAILED, "interrupted: SIGTERM")
    first = delivered(runs, runs.paths)
    again = StudyRuns(runs.paths, "digits", "study", "other", Delivery(runs.uri, print))
    again.start({}, "Another.")
    found = delivered(again, runs.paths)
    assert found.info.run_id == first.info.run_id
    assert found.info.run_name == "digits"
    note = found.data.tags["mlflow.note.content"]
    assert note == f"**State:** running\n\nA study.\n\n{KEPT}"


def test_a_study_is_described_anew_above_what_a_person_has_added(
    tmp_path: Path, runs: StudyRuns
) -> None:
    started = {number: runs.start_trial(spec(tmp_path, number)) for number in (0, 1)}
    trial = delivered(runs, started[1])
    client = runs.delivery.store.client
    run_id = read_delivered(runs.paths.mlflow).run_id
    client.set_tag(run_id, NOTE, f"**State:** running\n\nA study.\n\n{KEPT}\n\nMine.")
    again = opened(tmp_path)
    again.start({}, "")
    rows = [TrialRow(1, State.COMPLETE, (0.5,), 1.0, {}, started[1].folder)]
    for text in ("One trial.", "Two trials: [0001](run:1), [0008](run:8), [page](run:/artifacts)"):
        again.describe(text, rows)
    again.study.end(State.COMPLETE)
    found = delivered(again, again.paths)
    place = f"#/experiments/{found.info.experiment_id}/runs"
    assert found.data.tags[NOTE] == (
        f"**State:** complete\n\nTwo trials: [0001]({place}/{trial.info.run_id}), 0008, "
        f"[page]({place}/{run_id}/artifacts)\n\n{KEPT}\n\nMine."
    )
    client.delete_tag(run_id, NOTE)  # a person wants none
    again = opened(tmp_path)
    again.start({}, "A study.")
    again.describe("More.", [])
    assert NOTE not in delivered(again, again.paths).data.tags


def test_links_to_runs_that_are_opened_after_the_study_was_described(tmp_path: Path) -> None:
    """MLflow was not there while the study ran: the study's journal comes first."""
    runs = opened(tmp_path)
    runs.study.start(runs._new("digits", runs._of_study, {}, f"A study.\n\n{KEPT}"))
    paths = runs.start_trial(spec(tmp_path, 0))
    row = TrialRow(0, State.PRUNED, (), 1.0, {}, paths.folder, "too slow")
    runs.end_trial(row)
    runs.describe("[0000](run:0)", [row])
    runs.study.end(State.COMPLETE)
    assert not sync(tmp_path, print)
    read = runs.delivery.store.client.get_run
    trial = read_delivered(paths.mlflow).run_id
    note = read(read_delivered(runs.paths.mlflow).run_id).data.tags[NOTE]
    assert f"[0000](#/experiments/1/runs/{trial})" in note
