"""Sweeps that are killed, interrupted, and begun again with the same command."""

import json
import random
import signal
import subprocess
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from patience import PATIENCE
from search.controllers import (
    await_line,
    await_workers_end,
    check_finished,
    controller,
    load,
    press,
    sweep,
)

pytestmark = pytest.mark.slow


def twelve(**recipe: float) -> tuple[str, ...]:
    return ("x=interval(0,1)", "hydra.sweeper.n_trials=12", *options(recipe))


def options(recipe: dict[str, float]) -> tuple[str, ...]:
    return tuple(f"{key}={value}" for key, value in recipe.items())


def states(folder: Path) -> set[TrialState]:
    return {trial.state for trial in load(folder).trials}


def killed_soon(process: "subprocess.Popen[str]", moments: random.Random, most: float) -> bool:
    """Kill the controller within ``most`` seconds; whether it had not ended before."""
    delay = moments.uniform(0, most)
    print(f"killed {delay:.3f} s later")
    try:
        process.communicate(timeout=delay)
    except subprocess.TimeoutExpired:
        process.kill()
        return True
    return False


@pytest.mark.kill
@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_moments_it_ends_with_its_total(tmp_path: Path, seed: int) -> None:
    moments, deaths = random.Random(seed), 0
    for attempt in range(10):
        with controller(tmp_path, *twelve()) as process:
            if attempt % 2:  # from the first line on, which comes before the first trial
                for _ in range(moments.randint(1, 15)):
                    await_line(process, "trial")
                deaths += killed_soon(process, moments, 0.1)
            else:  # from the start of the interpreter on
                deaths += killed_soon(process, moments, 1.2)
    assert deaths == 10
    # once more near the end
    missing = 12 - sum(trial.state is TrialState.COMPLETE for trial in load(tmp_path).trials)
    with controller(tmp_path, *twelve()) as process:
        for _ in range(missing):
            await_line(process, " complete after ")
        killed_soon(process, moments, 0.2)
    code, printed = sweep(tmp_path, *twelve())
    assert code == 0, printed
    trials = load(tmp_path).trials
    assert len(trials) > 12
    check_finished(tmp_path, trials, 12)


@pytest.mark.kill
def test_killed_while_it_writes_to_its_database_it_ends_with_its_total(tmp_path: Path) -> None:
    arguments = ("x=interval(0,1)", "hydra.sweeper.n_trials=3", "reports=1")
    for commit in (38, 33, 35):
        code, printed = sweep(tmp_path, *arguments, dies_at_commit=commit)
        assert code == -signal.SIGKILL, printed
    code, printed = sweep(tmp_path, *arguments)
    assert code == 0, printed
    check_finished(tmp_path, load(tmp_path).trials, 3)


@pytest.mark.more
def test_a_grid_continues_after_a_trial_that_had_no_cell_yet(tmp_path: Path) -> None:
    arguments = ("x=choice(0.1,0.2,0.3)", "hydra/sweeper/sampler=grid", "reports=1")
    code, printed = sweep(tmp_path, *arguments, "hydra.sweeper.n_trials=1")
    assert code == 0, printed
    # what a controller leaves that is killed right after it has asked for a trial
    study = load(tmp_path)
    study._storage.create_new_trial(study._study_id)
    code, printed = sweep(tmp_path, *arguments)
    assert code == 0, printed
    check_finished(tmp_path, study.get_trials(), 3)


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGINT,
        pytest.param(signal.SIGTERM, marks=pytest.mark.more),
        pytest.param(signal.SIGHUP, marks=pytest.mark.more),
    ],
)
def test_an_interrupt_stops_trials_at_their_next_report(tmp_path: Path, number: int) -> None:
    arguments = ("x=interval(0,1)", "hydra.sweeper.n_trials=2", "reports=3")
    with controller(tmp_path, *arguments, endless=True) as process:
        await_line(process, "trial 1 step 1")
        if number == signal.SIGINT:
            press(process, number)
        else:
            process.send_signal(number)
        printed, _ = process.communicate()
    assert process.returncode == 128 + number, printed
    assert "interrupted: trials stop at their next report; once more to stop them now" in printed
    assert "interrupted after 0 trials; the same command continues" in printed
    assert "Traceback" not in printed
    await_workers_end(tmp_path)
    left = load(tmp_path).trials
    assert [trial.state.name for trial in left] == ["FAIL", "FAIL", "WAITING", "WAITING"]
    code, printed = sweep(tmp_path, *arguments)
    assert code == 0, printed
    trials = load(tmp_path).trials
    assert len(trials) == 4
    check_finished(tmp_path, trials, 2)


def test_a_second_interrupt_stops_them_now(tmp_path: Path) -> None:
    with controller(tmp_path, *twelve(reports=1), "hangs=true") as process:
        for _ in range(2):
            await_line(process, "step 0")
        press(process, signal.SIGINT)
        await_line(process, "interrupted: trials stop at their next report")
        press(process, signal.SIGINT)
        printed, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, printed
    assert "interrupted again: ending the trials that run" in printed
    assert "Traceback" not in printed
    await_workers_end(tmp_path)
    assert states(tmp_path) == {TrialState.FAIL, TrialState.WAITING}


def test_an_interrupt_before_the_first_trial_is_a_message_too(tmp_path: Path) -> None:
    arguments = ("x=interval(0,1)", "hydra.sweeper.n_trials=2", "reports=1")
    with controller(tmp_path, *arguments) as process:
        await_line(process, "checking")
        press(process, signal.SIGINT)
        printed, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, printed
    assert "interrupted" in printed
    assert "Traceback" not in printed
    code, printed = sweep(tmp_path, *arguments)
    assert code == 0, printed
    check_finished(tmp_path, load(tmp_path).trials, 2)


@pytest.mark.more
def test_another_recipe_is_refused_or_begins_anew_and_keeps_the_old(tmp_path: Path) -> None:
    one = ("x=interval(0,1)", "hydra.sweeper.n_trials=1", "reports=1")
    assert sweep(tmp_path, *one)[0] == 0
    (old,) = load(tmp_path).trials
    code, printed = sweep(tmp_path, *one, "recipe=2", "n=range(1,3)")
    assert code == 2
    assert "recipe is 2, but the trials of study mortal have 1" in printed
    assert "n is IntDistribution(" in printed
    assert "begin again: hydra.sweeper.resume=false" in printed
    assert "keep both: hydra.sweeper.study_name=<name>" in printed
    assert "Traceback" not in printed
    assert load(tmp_path).trials == [old]

    code, printed = sweep(tmp_path, *one, "recipe=2", "hydra.sweeper.resume=false")
    assert code == 0, printed
    assert "the study so far is kept as mortal-1" in printed
    (new,) = load(tmp_path).trials
    assert (new.number, new.state) == (0, TrialState.COMPLETE)
    (kept,) = load(tmp_path, "mortal-1").trials
    assert (kept.params, kept.values) == (old.params, old.values)
    for folder, trial in ((tmp_path / "out", new), (tmp_path / "out/archive/mortal-1", kept)):
        assert json.loads((folder / "0" / "seen.json").read_text())["x"] == trial.params["x"]
        assert (folder / "optimization_results.yaml").exists()
    names = optuna.get_all_study_names(f"sqlite:///{tmp_path}/studies.db")
    assert sorted(names) == ["mortal", "mortal-1"]


@pytest.mark.more
def test_a_second_controller_is_refused_while_the_first_lives(tmp_path: Path) -> None:
    arguments = (*twelve(reports=1), "hangs=true")
    with controller(tmp_path, *arguments) as first:
        await_line(first, " of 12 started")
        code, printed = sweep(tmp_path, *arguments)
        assert code == 1
        assert "study mortal in studies.db is being run by another process" in printed
        assert "hydra.sweeper.storage=postgresql+psycopg://" in printed
        assert "Traceback" not in printed
        press(first, signal.SIGKILL)
    with controller(tmp_path, *arguments) as second:
        await_line(second, "trials were interrupted; their parameters go first")


@pytest.mark.more
def test_a_screen_that_is_closed_interrupts(tmp_path: Path) -> None:
    """As ``| head`` does."""
    arguments = ("x=interval(0,1)", "hydra.sweeper.n_trials=2")
    errors = tmp_path / "errors"
    with (
        errors.open("w") as stream,
        controller(tmp_path, *arguments, endless=True, stderr=stream) as process,
    ):
        await_line(process, "trial 0 step 0")
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait() == 128 + signal.SIGPIPE
    assert errors.read_text() == "the reader of the output has ended: interrupted\n"
    await_workers_end(tmp_path)
    assert states(tmp_path) == {TrialState.FAIL, TrialState.WAITING}
