"""Real sweeps that are killed and begun again: what is in Optuna and MLflow at the end."""

import os
import random
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from patience import PATIENCE
from search.controllers import as_in_a_terminal, await_line

KILLS = int(os.environ.get("SWEEPER_KILLS", "3"))
"""`make test-kill` asks for more."""
QUICK = (
    "+experiment=digits_lite0",
    "-m",
    "image_size=32",
    "batch_size=256",
    "augment=none",
    "phases.frozen.epochs=1",
    "phases.unfrozen=null",
    "~hydra.sweeper.params",
    "optimizer.learning_rate=interval(1e-3,1e-2)",
    "hydra.sweeper.n_jobs=2",
)
DIES_WITH_A_NEW_RUN = """
import os, signal
import sweeper.track.store
from sweeper.__main__ import main

start_run = sweeper.track.store.start_run

def start_and_die(*arguments):
    start_run(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)

sweeper.track.store.start_run = start_and_die
main()
"""
DIES_WITH_A_COMPLETE_TRIAL = """
import os, signal
from sweeper.__main__ import main
from sweeper.records import State
from sweeper.track.journal import Journal

end = Journal.end

def die_or_end(journal, state, *reason):
    if state is State.COMPLETE:
        os.kill(os.getpid(), signal.SIGKILL)
    end(journal, state, *reason)

Journal.end = die_or_end
main()
"""


@contextmanager
def controller(folder: Path, *command: str) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, *command],
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=as_in_a_terminal,  # noqa: PLW1509 - no other thread runs here
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def run(folder: Path, *command: str) -> tuple[int, str]:
    with controller(folder, *command) as process:
        # what the killed ones left undone is done here
        printed, _ = process.communicate(timeout=PATIENCE * KILLS)
    return process.returncode, printed


def check(folder: Path, n_trials: int) -> None:
    """One run of the study and one of each complete trial, FINISHED; all that is open is closed."""
    from sweeper.track.backend.mlflow import connect

    url = f"sqlite:///{folder}/experiments/studies.db"
    trials = optuna.load_study(study_name="digits_lite0", storage=url).trials
    complete = {str(t.number) for t in trials if t.state is TrialState.COMPLETE}
    assert len(complete) == n_trials
    assert {trial.state for trial in trials} <= {TrialState.COMPLETE, TrialState.FAIL}
    client = connect(f"sqlite:///{folder}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("digits_lite0")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    tags = [run.data.tags for run in runs]
    (study,) = [run for run in runs if run.data.tags["sweeper.role"] == "study"]
    assert (study.info.status, study.data.tags["sweeper.state"]) == ("FINISHED", "complete")
    finished = [
        run.data.tags["sweeper.trial_number"]
        for run in runs
        if run.info.status == "FINISHED" and run is not study
    ]
    assert sorted(finished) == sorted(complete), tags
    assert {run.info.status for run in runs} <= {"FINISHED", "FAILED"}, tags
    for run in runs:
        assert run is study or run.data.tags["mlflow.parentRunId"] == study.info.run_id
    for number in complete:
        assert (folder / f"experiments/digits_lite0/trials/{int(number):04d}/config.yaml").exists()


@pytest.mark.kill
def test_killed_at_random_moments_runs_and_trials_agree(tmp_path: Path) -> None:
    # enough trials that no sweep comes to its end before it is killed
    command = ("-m", "sweeper", *QUICK, f"hydra.sweeper.n_trials={2 * KILLS}")
    moments = random.Random(1)
    for lines in (0, *(moments.randint(1, 4) for _ in range(KILLS - 1))):
        with controller(tmp_path, *command) as process:
            for _ in range(lines):
                await_line(process, "trial ")
            delay = moments.uniform(0, 3)
            print(f"killed {delay:.3f} s after line {lines}")
            with pytest.raises(subprocess.TimeoutExpired):
                process.communicate(timeout=delay)
    code, printed = run(tmp_path, *command)
    assert code == 0, printed
    check(tmp_path, 2 * KILLS)


@pytest.mark.slow
@pytest.mark.kill
def test_killed_between_optuna_and_mlflow_they_agree(tmp_path: Path) -> None:
    trials = (*QUICK, "hydra.sweeper.n_trials=2")
    for mortal in (DIES_WITH_A_NEW_RUN, DIES_WITH_A_COMPLETE_TRIAL):
        code, printed = run(tmp_path, "-c", mortal, *trials)
        assert code == -signal.SIGKILL, printed
    code, printed = run(tmp_path, "-m", "sweeper", *trials)
    assert code == 0, printed
    check(tmp_path, 2)


def curves(folder: Path) -> dict[str, dict[int, float]]:
    """val_loss at each epoch, by trial number; by the run's id of a single fine-tune."""
    from sweeper.track.backend.mlflow import connect

    client = connect(f"sqlite:///{folder}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("digits_lite0")
    assert experiment is not None
    found = {}
    for run in client.search_runs([experiment.experiment_id]):
        history = client.get_metric_history(run.info.run_id, "val_loss")
        number = run.data.tags.get("sweeper.trial_number", run.info.run_id)
        if history:
            found[number] = {metric.step: metric.value for metric in history}
    return found


RECIPE = (
    *("+experiment=digits_lite0", "image_size=32", "batch_size=256", "augment=none"),
    *("dataset.fraction=0.5", "optimizer.learning_rate=3e-3", "phases.frozen.epochs=2"),
    "phases.unfrozen={epochs:6,learning_rate:1e-3,optimizer:null,schedule:null}",
)
ALONE = ("-m", "sweeper", *RECIPE)
TRIAL = (*ALONE, "-m", "~hydra.sweeper.params", "seed=choice(0)", "hydra.sweeper.n_trials=1")


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory) -> dict[int, float]:
    """Curve of a single fine-tune that was interrupted in its second phase, and continued."""
    folder = tmp_path_factory.mktemp("alone")
    with controller(folder, *ALONE) as process:
        await_line(process, "unfrozen epoch 4 of")
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGINT, printed
    _, _, again = printed.strip().rpartition("to continue: python ")
    code, printed = run(folder, *shlex.split(again))
    assert code == 0, printed
    assert "unfrozen epoch 8 of 8" in printed
    (log,) = (folder / "experiments/digits_lite0/runs").glob("*/logs/trial.log")
    assert "resumes after epoch" in log.read_text()
    return max(curves(folder).values(), key=len)


@pytest.mark.kill
@pytest.mark.slow
@pytest.mark.parametrize(
    "number", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.kill)]
)
def test_an_interrupted_trial_resumes_where_it_stopped(
    tmp_path: Path, number: int, resumed: dict[int, float]
) -> None:
    with controller(tmp_path, *TRIAL) as process:
        await_line(process, "frozen epoch 2 of")
        process.send_signal(number)
        process.communicate(timeout=PATIENCE)
    code, printed = run(tmp_path, *TRIAL)
    assert code == 0, printed
    log = (tmp_path / "experiments/digits_lite0/trials/0001/logs/trial.log").read_text()
    assert "resumes after epoch" in log
    found = curves(tmp_path)
    # stopped elsewhere than the other one, which no study asked for: had a resume changed
    # anything, they would differ
    assert found["1"] == resumed
    assert sorted(resumed) == list(range(8))
    assert 0 < len(found["0"]) < 8


@pytest.mark.kill
def test_a_trial_that_nobody_interrupts_has_the_same_curve(
    tmp_path: Path, resumed: dict[int, float]
) -> None:
    code, printed = run(tmp_path, *TRIAL)
    assert code == 0, printed
    assert curves(tmp_path)["0"] == resumed
