"""A study is read from its folder: finished, running, interrupted, and cut short at any byte."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from recipes import recipe

from sweeper.app.runs import StudyRuns
from sweeper.app.study_report import make_report
from sweeper.errors import SweeperError
from sweeper.execute.executor import Placement
from sweeper.execute.inline import InlineExecutor
from sweeper.records import State, TrialRow, TrialSpec
from sweeper.report.reader import StudyReader
from sweeper.study_files.confirmed import Confirmed, write_confirmed
from sweeper.study_files.predictions import Predictions, halved, save
from sweeper.study_files.result import AboutStudy, Status, write
from sweeper.study_files.study_paths import StudyPaths
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.track.delivery import Delivery
from sweeper.track.local import LocalTracker

EPOCHS = 3


@contextmanager
def study(*objectives: str) -> Iterator[tuple[StudyRuns, Path]]:
    """A study that nobody delivers, as its controller writes it."""
    with TemporaryDirectory() as name:
        folder = Path(name, "digits")
        delivery = Delivery(f"sqlite:///{name}/mlflow.db", print)
        runs = StudyRuns(StudyPaths(folder), "digits", "id", "digits", delivery)
        maximize = tuple(one == "val_accuracy" for one in objectives)
        write(runs.paths.about, AboutStudy("digits", "id", objectives, maximize))
        yield runs, folder


def start(runs: StudyRuns, number: int, retry_of: int | None = None) -> TrialPaths:
    trials = runs.paths.folder / "trials"
    again = () if retry_of is None else (trials / f"{retry_of:04d}",)
    params = {"optimizer.learning_rate": 10.0**-number, "name": None}
    return runs.start_trial(TrialSpec(number, params, (), trials / f"{number:04d}", again=again))


def train(paths: TrialPaths, folds: int | None = None) -> LocalTracker:
    tracker = LocalTracker(paths)
    for fold in [None] if folds is None else range(folds):
        for step in range(EPOCHS):
            phase = "frozen" if step == 0 else "unfrozen"
            tracker.log_epoch({"val_loss": 1 / (step + 1), "loss": 2.0}, step, phase, fold)
    tracker.log_metrics({"best_epoch": EPOCHS - 1}, EPOCHS - 1)
    return tracker


def end(runs: StudyRuns, number: int, state: State, *values: float, reason: str = "") -> None:
    folder = runs.paths.folder / "trials" / f"{number:04d}"
    counts = not reason.endswith("tried again")
    runs.end_trial(TrialRow(number, state, values, 2.5, {}, folder, reason, counts=counts))


def complete(runs: StudyRuns, number: int, **objectives: float) -> None:
    tracker = train(start(runs, number))
    tracker.end(Status.COMPLETE, "", objectives)
    end(runs, number, State.COMPLETE, *objectives.values())


def test_a_study_with_trials_of_every_kind() -> None:
    with study("val_accuracy") as (runs, folder):
        complete(runs, 0, val_accuracy=0.5)
        complete(runs, 1, val_accuracy=0.75)
        train(start(runs, 2)).end(Status.PRUNED, "behind")
        end(runs, 2, State.PRUNED, reason="behind")
        train(start(runs, 3))  # killed: its process wrote no end
        end(runs, 3, State.FAILED, reason="killed by SIGKILL; tried again")
        runs.interrupt_trial(start(runs, 4, retry_of=3), "interrupted: SIGTERM")
        train(start(runs, 5, retry_of=4))
        reader = StudyReader(folder)
        trials = reader.trials()
        assert [str(trial.status) for trial in trials] == [
            *("complete", "complete", "pruned", "failed", "interrupted", "running")
        ]
        assert [trial.about.retry_of for trial in trials] == [None, None, None, None, 3, 4]
        assert trials[3].result is not None
        assert trials[3].result.metrics == {}
        summary = reader.summary()
        assert [(row.number, row.state, row.counts) for row in summary.rows] == [
            (0, State.COMPLETE, True),
            (1, State.COMPLETE, True),
            (2, State.PRUNED, True),
            (3, State.FAILED, False),
        ]
        assert summary.best is not None
        assert (summary.best.number, summary.best.values) == (1, (0.75,))
        assert summary.best.params == {"optimizer.learning_rate": 0.1, "name": None}
        assert (summary.name, summary.objectives) == ("digits", ("val_accuracy",))
        assert [row.reason for row in summary.rows[2:]] == [
            *("behind", "killed by SIGKILL; tried again")
        ]
        for number in (0, 2, 3, 5):
            epochs = reader.curves(number)
            assert [(one.step, one.phase) for one in epochs] == [
                *((0, "frozen"), (1, "unfrozen"), (2, "unfrozen"))
            ]
            assert epochs[1].metrics == {"val_loss": 0.5, "loss": 2.0}
        assert reader.curves(4) == ()
        with pytest.raises(SweeperError, match="holds no trial 9"):
            reader.curves(9)


def test_several_objectives_have_a_front() -> None:
    with study("val_accuracy", "flops") as (runs, folder):
        for number, (accuracy, flops) in enumerate([(0.5, 1.0), (0.6, 2.0), (0.4, 3.0)]):
            complete(runs, number, val_accuracy=accuracy, flops=flops)
        summary = StudyReader(folder).summary()
        assert [row.number for row in summary.front] == [0, 1]
        assert summary.best is not None
        assert summary.best.number == 1


def test_recipes_predictions_and_folds() -> None:
    made = recipe("batch_size=16", "validation=kfold", "validation.folds=2")
    with study("val_accuracy") as (runs, folder):
        paths = start(runs, 0)
        resolved = made.model_dump(mode="json", exclude_unset=True)
        paths.config.write_text(yaml.safe_dump(resolved, sort_keys=False))
        train(paths, folds=2)
        reader = StudyReader(folder)
        assert reader.recipe(0) == made
        assert [(one.fold, one.step) for one in reader.curves(0)] == [
            (fold, step) for fold in range(2) for step in range(EPOCHS)
        ]
        assert reader.predictions(0) is None
        logits = np.array([[1.0, 2.0], [1e9, -np.inf], [0.0, np.nan]], np.float32)
        save(
            paths.predictions,
            Predictions(
                np.array(["train/cat/1.png", "train/größe.png", "2"]),
                np.array([0, 1, 1]),
                np.array([0, 0, 1]),
                halved(np.full((3, 2), 0.5)),
                halved(logits),
                np.array(["cat", "dog"]),
            ),
        )
        found = reader.predictions(0)
        assert found is not None
        assert found.ids.tolist() == ["train/cat/1.png", "train/größe.png", "2"]
        assert found.logits.dtype == found.probabilities.dtype == np.float16
        assert found.logits[1].tolist() == [65504.0, -np.inf]
        paths.predictions.write_bytes(paths.predictions.read_bytes()[:100])
        assert reader.predictions(0) is None


def test_a_study_is_read_while_its_trials_write() -> None:
    with study("val_accuracy") as (runs, folder):
        reader, done = StudyReader(folder), threading.Event()
        paths = start(runs, 0)

        def write_all() -> None:
            tracker = LocalTracker(paths)
            for step in range(300):
                tracker.log_epoch({"loss": float(step), "long": 1 / 3}, step, "frozen", None)
            tracker.end(Status.COMPLETE, "", {"val_accuracy": 0.5})
            end(runs, 0, State.COMPLETE, 0.5)
            done.set()

        writer = threading.Thread(target=write_all)
        writer.start()
        known = 0
        while not done.is_set():
            steps = [epoch.step for epoch in reader.curves(0)]
            assert steps == list(range(len(steps)))
            assert len(steps) >= known
            known = len(steps)
            assert len(reader.summary().rows) <= 1
        writer.join()
        assert len(reader.curves(0)) == 300
        assert reader.summary().best is not None


@given(st.floats(0, 1), st.sampled_from(["metrics", "journal"]))
def test_files_that_a_kill_cut_short_are_read_as_far_as_they_are_whole(
    share: float, which: str
) -> None:
    with study("val_accuracy") as (runs, folder):
        complete(runs, 0, val_accuracy=0.5)
        paths = TrialPaths(folder / "trials" / "0000")
        file = paths.metrics if which == "metrics" else paths.mlflow.journal
        whole = file.read_bytes()
        cut = whole[: int(share * len(whole))]
        file.write_bytes(cut)
        reader = StudyReader(folder)
        epochs = reader.curves(0)
        lines = cut.count(b"\n") if which == "metrics" else EPOCHS
        assert [epoch.step for epoch in epochs] == list(range(lines))
        # what is appended next stands on a line of its own
        LocalTracker(paths).log_epoch({"loss": 1.0}, 7, "unfrozen", None)
        assert [epoch.step for epoch in reader.curves(0)] == [*range(lines), 7]
        runs.end_trial(TrialRow(0, State.COMPLETE, (0.5,), 1.0, {}, paths.folder))
        assert [row.number for row in reader.summary().rows] == [0]
        for line in paths.mlflow.journal.read_text().splitlines():
            json.loads(line)


@given(
    st.sampled_from(["study.json", "confirmed.json", "trial.json", "result.json"]),
    st.one_of(st.floats(0, 0.9), st.sampled_from([b"\0" * 9, b"7", b'{"unknown": 1}', b"\xff"])),
)
def test_a_damaged_file_is_named_and_no_trial_left_out(name: str, damage: float | bytes) -> None:
    """They are renamed into place, so no kill cuts them: a disk, or a person, has."""
    with study("val_accuracy") as (runs, folder):
        for number in (0, 1):
            complete(runs, number, val_accuracy=0.5 + number)
        confirmed = Confirmed("id", 1, ())
        write_confirmed(folder / "confirmed.json", confirmed)
        file = folder / name
        if not file.exists():
            file = folder / "trials" / "0001" / name
        whole = file.read_bytes()
        assert StudyReader(folder).confirmed() == confirmed
        file.write_bytes(damage if isinstance(damage, bytes) else whole[: int(damage * len(whole))])
        is_json = name == "confirmed.json" and damage in (b"7", b'{"unknown": 1}')
        with nullcontext() if is_json else pytest.raises(SweeperError, match="is damaged; restore"):
            StudyReader(folder).summary()
        file.write_bytes(whole)
        assert [row.values for row in StudyReader(folder).summary().rows] == [(0.5,), (1.5,)]


@pytest.mark.parametrize("damaged", [b"\xff", b"a: [", b"7", b"a: 2026-01-01", b""])
def test_a_damaged_recipe_is_named(damaged: bytes) -> None:
    with study("val_accuracy") as (runs, folder):
        complete(runs, 0, val_accuracy=0.5)
        TrialPaths(folder / "trials" / "0000").config.write_bytes(damaged)
        with pytest.raises(SweeperError, match=r"config.yaml is damaged; restore that file"):
            StudyReader(folder).recipe(0)


@pytest.mark.parametrize("damaged", [b"\0" * 9 + b"\n", b"{\n"])
def test_a_damaged_line_is_named_and_no_epoch_left_out(damaged: bytes) -> None:
    with study("val_accuracy") as (runs, folder):
        complete(runs, 0, val_accuracy=0.5)
        file = TrialPaths(folder / "trials" / "0000").metrics
        first, *others = file.read_bytes().splitlines(keepends=True)
        file.write_bytes(b"".join([first, damaged, *others]))
        with pytest.raises(SweeperError, match=f"from byte {len(first)} on is damaged"):
            StudyReader(folder).curves(0)


def test_a_sweep_says_why_it_has_no_report() -> None:
    with study("val_accuracy") as (runs, folder):
        complete(runs, 0, val_accuracy=0.5)
        (folder / "study.json").write_text("7")
        said: list[str] = []
        assert not make_report(runs, InlineExecutor(), Placement(), said.append, examine=False)
        (line,) = said
        assert "no report was written: " in line
        assert "study.json is damaged; restore that file" in line


def test_trials_of_another_study_in_the_folder_are_not_its() -> None:
    with study("val_accuracy") as (runs, folder):
        complete(runs, 0, val_accuracy=0.5)
        write(runs.paths.about, AboutStudy("digits", "another", ("val_accuracy",), (True,)))
        assert StudyReader(folder).trials() == ()
        with pytest.raises(SweeperError, match="holds no study"):
            StudyReader(folder / "trials")
