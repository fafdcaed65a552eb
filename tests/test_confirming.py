"""The best trials run again with other seeds: which, how they are judged, what then says so."""

import csv
import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from mlflow import MlflowClient
from recipes import recipe

from sweeper.app.confirming.contenders import contenders, new_seeds
from sweeper.app.confirming.rerun_means import by_mean
from sweeper.app.preparing.preflight import confirm_faults, error_faults
from sweeper.display.confirmed_text import confirmed_cell, confirmed_cells, spelled_choice
from sweeper.ranking import best_of, joined, with_winner
from sweeper.records import State, StudySummary, TrialRow
from sweeper.report.reader import StudyReader
from sweeper.saved.reference import find
from sweeper.statistics.intervals import Figure
from sweeper.study_files.confirmed import (
    Confirmed,
    ConfirmedTrial,
    SeedRun,
    read_confirmed,
    write_confirmed,
)
from sweeper.study_files.result import Result, Status, read_result, write
from sweeper.study_files.study_paths import StudyPaths
from sweeper.study_files.trial_paths import TrialPaths

RunCli = Callable[..., subprocess.CompletedProcess[str]]


def a_trial(folder: Path, number: int, *values: float, **more: str) -> TrialRow:
    """A complete trial whose recipe and weights are in its folder."""
    paths = TrialPaths(folder / "trials" / f"{number:04d}")
    keep_recipe(paths, **{"optimizer.learning_rate": str(0.001 * (number + 1)), **more})
    paths.learned.touch()
    return TrialRow(number, State.COMPLETE, values, 1.0, {}, paths.folder)


def keep_recipe(paths: TrialPaths, **overrides: str) -> None:
    made = recipe(*(f"{key}={value}" for key, value in overrides.items()))
    paths.folder.mkdir(parents=True)
    plain = made.model_dump(mode="json", exclude_unset=True)
    paths.config.write_text(yaml.safe_dump(plain))


def summary_of(folder: Path, *rows: TrialRow, maximize: tuple[bool, ...] = (True,)) -> StudySummary:
    front: list[TrialRow] = []
    for row in rows:
        front = joined(front, row, maximize)
    names = ("val_accuracy", "parameters")[: len(maximize)]
    best = best_of(front, maximize)
    return StudySummary("one", folder, maximize, rows, best, tuple(front), names)


def silent(_text: str) -> None: ...


@given(st.integers(0, 2**32 - 1), st.integers(1, 50))
def test_new_seeds_are_others_each_time_the_same_and_stay_when_more_follow(
    seed: int, count: int
) -> None:
    seeds = new_seeds(seed, count)
    assert len({seed, *seeds}) == count + 1
    assert all(0 <= one < 2**32 for one in seeds)
    assert new_seeds(seed, count + 3)[:count] == seeds


@given(st.integers(0, 10**5), st.integers(0, 2**32 - 1))
def test_the_folder_of_a_rerun_has_its_seed(number: int, seed: int) -> None:
    assert StudyPaths.seed_of(StudyPaths(Path("one")).rerun(number, seed)) == seed


def test_the_best_are_run_again_those_alike_once_and_none_that_cannot_win(tmp_path: Path) -> None:
    rows = [
        a_trial(tmp_path, 0, 0.7),
        a_trial(tmp_path, 1, 0.9),
        a_trial(tmp_path, 2, 0.9, **{"optimizer.learning_rate": "0.002", "seed": "5"}),
        a_trial(tmp_path, 3, 0.8),
        replace(a_trial(tmp_path, 4, 0.99), feasible=False),
        TrialRow(5, State.FAILED, (), 1.0, {}, tmp_path),
    ]
    said: list[str] = []
    TrialPaths(rows[3].folder).learned.unlink()
    chosen = contenders(summary_of(tmp_path, *rows), 2, said.append)
    assert [row.number for row, _ in chosen] == [1, 0]
    (text,) = said
    assert text.startswith("trial 3 is not run again: its weights are gone")


def test_with_several_objectives_those_of_the_front_are(tmp_path: Path) -> None:
    rows = [
        a_trial(tmp_path, 0, 0.9, 5.0),
        a_trial(tmp_path, 1, 0.8, 6.0),
        a_trial(tmp_path, 2, 0.7, 4.0),
        a_trial(tmp_path, 3, 0.6, 3.0),
    ]
    summary = summary_of(tmp_path, *rows, maximize=(True, False))
    assert [row.number for row, _ in contenders(summary, 2, silent)] == [0, 2]


def ended(folder: Path, number: int, *values: tuple[float, ...] | str) -> dict[Path, Result]:
    """Runs of a trial with the seeds 1000, 2000 and so on; a text is why one failed."""
    found = {}
    for seed, value in zip(new_seeds(0, len(values)), values, strict=True):
        paths = TrialPaths(StudyPaths(folder).rerun(number, seed))
        result = Result(Status.PRUNED, reason=str(value))
        if not isinstance(value, str):
            named = dict(zip(("val_accuracy", "parameters"), value, strict=False))
            result = Result(Status.COMPLETE, named)
        found[paths.folder] = result
    return found


def test_the_best_mean_wins_over_runs_that_ended_and_not_over_the_search(tmp_path: Path) -> None:
    rows = [a_trial(tmp_path, n, value) for n, value in enumerate((0.95, 0.94, 0.93, 0.5))]
    summary = summary_of(tmp_path, *rows)
    trials = by_mean(
        summary,
        {
            0: ended(tmp_path, 0, (0.90,), (0.92,)),
            1: ended(tmp_path, 1, (0.93,), "loss is nan"),
            2: ended(tmp_path, 2, "killed by SIGKILL"),
        },
    )
    assert [trial.number for trial in trials] == [1, 0, 2]
    assert [trial.chosen for trial in trials] == [True, False, False]
    assert trials[0].means == {"val_accuracy": Figure(0.93, None, None)}
    mean = trials[1].means["val_accuracy"]
    assert mean.value == pytest.approx(0.91)
    assert mean.low == pytest.approx(0.91 - 12.7062 * 0.01, abs=1e-4)  # Student's t of 1 degree
    assert mean.high == 1, "no accuracy is higher"
    assert trials[2].means == {}
    assert trials[1].search == {"val_accuracy": 0.95}
    confirmed = Confirmed("study", 0, trials)
    assert with_winner(summary, confirmed.winner and confirmed.winner.number).best == rows[1]
    text = spelled_choice(confirmed)
    assert "trial 1 run again: val_accuracy 0.9300, mean of 1 run; 1 run failed" in text
    assert "The best of the search was trial 0 run again" in text
    assert confirmed_cell(confirmed, 2) == "failed"
    assert confirmed_cells(summary.value_names, confirmed, 1) == [0.93, None, None, 1]
    assert confirmed_cells(summary.value_names, confirmed, 3) == [None] * 4


def test_one_without_weights_cannot_win_and_nobody_does_where_all_failed(tmp_path: Path) -> None:
    rows = [a_trial(tmp_path, 0, 0.9), a_trial(tmp_path, 1, 0.8)]
    runs = {0: ended(tmp_path, 0, (0.9,)), 1: ended(tmp_path, 1, (0.8,))}
    TrialPaths(rows[0].folder).learned.unlink()
    summary = summary_of(tmp_path, *rows)
    assert [trial.chosen for trial in by_mean(summary, runs)] == [False, True]
    failed = {1: {path: Result(Status.FAILED, reason="gone") for path in runs[1]}}
    confirmed = Confirmed("study", 0, by_mean(summary, failed))
    assert confirmed.winner is None
    assert with_winner(summary, None) == summary


def test_with_several_objectives_none_is_chosen_and_each_has_its_mean(tmp_path: Path) -> None:
    rows = [a_trial(tmp_path, 0, 0.9, 5.0), a_trial(tmp_path, 1, 0.8, 4.0)]
    summary = summary_of(tmp_path, *rows, maximize=(True, False))
    runs = {0: ended(tmp_path, 0, (0.85, 5.0), (0.87, 5.0)), 1: ended(tmp_path, 1, (0.88, 4.0))}
    trials = by_mean(summary, runs)
    assert [trial.chosen for trial in trials] == [False, False]
    assert trials[1].means["parameters"] == Figure(5.0, 5.0, 5.0)
    assert with_winner(summary, 1) == summary
    assert spelled_choice(Confirmed("study", 0, trials)).count("run again") == 2


names = st.sampled_from(["val_accuracy", "val_loss"])
numbers = st.floats(allow_nan=False, allow_infinity=False)
figures = st.builds(Figure, numbers, st.none() | numbers, st.none() | numbers)
seed_runs = st.builds(
    SeedRun, st.integers(0), st.text(), st.dictionaries(names, numbers), st.text()
)
some_trials = st.builds(
    ConfirmedTrial,
    st.integers(0),
    st.dictionaries(names, numbers),
    st.lists(seed_runs).map(tuple),
    st.dictionaries(names, figures),
    st.booleans(),
)


@given(st.builds(Confirmed, st.just("study"), st.integers(0), st.lists(some_trials).map(tuple)))
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, confirmed: Confirmed
) -> None:
    path = tmp_path_factory.getbasetemp() / "confirmed.json"
    write_confirmed(path, confirmed)
    assert read_confirmed(path, "study") == confirmed
    assert read_confirmed(path, "another") is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"study": "study", "trials": [{}]}', "\x00"])
def test_what_nobody_can_read_is_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "confirmed.json"
    assert read_confirmed(path, "study") is None
    path.write_text(text)
    assert read_confirmed(path, "study") is None


def test_of_what_is_not_measured_on_images_nobody_knows_the_error() -> None:
    (fault,) = error_faults([recipe("objectives=[flops]")], "error")
    assert "val_accuracy, val_loss), got objectives=[flops]; give a number" in fault
    assert error_faults([recipe("objectives=[flops]")], 0.1) == []
    assert error_faults([recipe()], "error") == []


def test_a_search_over_confirm_is_refused() -> None:
    two, none = recipe("confirm={top:2,seeds:2}"), recipe()
    assert confirm_faults([two, two]) == []
    (fault,) = confirm_faults([two, none])
    assert fault.startswith("confirm is of the whole study and cannot be searched")


SWEEP = (
    *("+experiment=digits_lite0", "-m", "image_size=32", "batch_size=128", "dataset.fraction=0.3"),
    *("augment=none", "phases.frozen.epochs=1", "phases.unfrozen=null", "~hydra.sweeper.params"),
    *("optimizer.learning_rate=interval(1e-3,1e-2)", "hydra.sweeper.n_trials=2"),
)
CONFIRM = "confirm={top:2,seeds:1}"


def winner_everywhere(folder: Path) -> set[int]:
    """The numbers that all files and commands say the winner has."""
    paths = StudyPaths(folder / "experiments" / "digits_lite0")
    with paths.leaderboard.open(newline="", encoding="utf-8") as file:
        first = next(csv.DictReader(file))
    client = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db")
    (experiment,) = client.search_experiments(filter_string="name = 'digits_lite0'")
    (study,) = client.search_runs(
        [experiment.experiment_id], "tags.`sweeper.role` = 'study' and status = 'FINISHED'"
    )
    best = StudyReader(paths.folder).summary().best
    assert best is not None
    used = find(str(paths.folder), None, "")
    assert used.network.is_file()
    assert f"trial {best.number}," in paths.page.read_text().split("- Best: ")[1][:12]
    assert f"trial {best.number}," in paths.best_recipe.read_text().splitlines()[0]
    return {
        yaml.safe_load(paths.winner.read_text())["trial"],
        yaml.safe_load(paths.results.read_text())["best_trial"],
        int(first["number"]),
        int(study.data.tags["sweeper.best_trial"]),
        best.number,
        used.trial or 0,
    }


@pytest.mark.slow
@pytest.mark.more
def test_a_finished_study_is_confirmed_and_everything_says_the_same_winner(
    cli: RunCli, tmp_path: Path
) -> None:
    def run(*more: str) -> str:
        done = cli(*SWEEP, *more)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    paths = StudyPaths(tmp_path / "experiments" / "digits_lite0")
    run()
    (first,) = winner_everywhere(tmp_path)
    assert not paths.confirmed.exists()
    shown = run(CONFIRM)
    assert "then the best 2 again with another seed" in shown
    assert shown.count("rerun of trial") >= 4  # two began, and two ended
    reader = StudyReader(paths.folder)
    assert len(reader.trials()) == 2
    results = {folder: read_result(TrialPaths(folder).result) for folder in paths.reruns}
    assert [folder.name for folder in results] == ["0000-seed1000", "0001-seed1000"]
    assert all(
        result is not None and result.state is Status.COMPLETE for result in results.values()
    )

    # the other trial has the better mean from here on; nothing is left to run
    for folder, value in zip(paths.reruns, (0.1, 0.2) if first == 0 else (0.2, 0.1), strict=True):
        result = results[folder]
        assert result is not None
        made = {**result.objectives, "val_accuracy": value}
        write(TrialPaths(folder).result, replace(result, objectives=made))
    shown = run(CONFIRM)
    assert "rerun of trial" not in shown
    other = 1 - first
    assert winner_everywhere(tmp_path) == {other}
    confirmed = json.loads(paths.confirmed.read_text())
    assert confirmed["best_of_search"] == first
    of_winner: Mapping[str, Any] = yaml.safe_load(paths.winner.read_text())["confirmed"]
    assert (of_winner["val_accuracy"], of_winner["seeds"]) == (0.2, [1000])
    with paths.leaderboard.open(newline="", encoding="utf-8") as file:
        assert [float(row["confirmed_val_accuracy"]) for row in csv.DictReader(file)] == [0.2, 0.1]
    assert "With other seeds: trial" in paths.page.read_text()

    run()  # without confirm the search's own figures decide, and the runs stay
    assert winner_everywhere(tmp_path) == {first}
    assert not paths.confirmed.exists()
    assert len(paths.reruns) == 2


@pytest.mark.slow
@pytest.mark.more
def test_with_folds_and_several_objectives_the_front_has_means_and_nothing_is_chosen(
    cli: RunCli, tmp_path: Path
) -> None:
    done = cli(
        *SWEEP,
        *("objectives=[val_accuracy,parameters]", "hydra.sweeper.direction=[maximize,minimize]"),
        *("validation=kfold", "validation.folds=2", "head.hidden=choice(4,16)", CONFIRM),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "what more trials could gain is not known: there are 2 objectives" in done.stdout
    paths = StudyPaths(tmp_path / "experiments" / "digits_lite0")
    reader = StudyReader(paths.folder)
    confirmed, front = reader.confirmed(), reader.summary().front
    assert confirmed is not None
    assert confirmed.winner is None
    assert {trial.number for trial in confirmed.trials} == {row.number for row in front}
    for trial in confirmed.trials:
        assert trial.means.keys() == {"val_accuracy", "parameters"}
        assert trial.means["parameters"].value == trial.search["parameters"]
    with paths.leaderboard.open(newline="", encoding="utf-8") as file:
        first = next(csv.DictReader(file))
    assert first["confirmed_parameters"] == first["parameters"]
    assert "With other seeds: trial" in paths.page.read_text()
