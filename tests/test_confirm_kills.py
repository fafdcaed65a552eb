"""Real sweeps that are killed while trials are run again: each run ends once, and none is lost."""

import os
import random
import signal
import subprocess
from collections import Counter
from pathlib import Path

import optuna
import pytest
from patience import PATIENCE
from search.controllers import await_line
from test_resume_runs import controller, run

from sweeper.report.reader import StudyReader
from sweeper.study_files.result import Status, read_result
from sweeper.study_files.study_paths import StudyPaths
from sweeper.study_files.trial_paths import TrialPaths

KILLS = int(os.environ.get("SWEEPER_KILLS", "3"))
TRIALS, TOP, SEEDS = 3, 2, 3
SWEEP = (
    *("-m", "sweeper", "+experiment=digits_lite0", "-m", "image_size=32", "batch_size=256"),
    *("augment=none", "dataset.fraction=0.5", "phases.frozen.epochs=2", "phases.unfrozen=null"),
    *("~hydra.sweeper.params", "optimizer.learning_rate=interval(1e-3,1e-2)"),
    *("hydra.sweeper.n_jobs=2", f"hydra.sweeper.n_trials={TRIALS}"),
    f"confirm={{top:{TOP},seeds:{SEEDS}}}",
)
AT_ITS_FIRST_REPORT = "frozen epoch 1 of 2"


def paths_in(folder: Path) -> StudyPaths:
    return StudyPaths(folder / "experiments" / "digits_lite0")


def complete(folder: Path) -> dict[str, float]:
    """When the runs ended that are complete, by their folder."""
    found = {}
    for one in paths_in(folder).reruns:
        result = read_result(TrialPaths(one).result)
        if result is not None and result.state is Status.COMPLETE:
            found[one.name] = result.ended
    return found


def check(folder: Path) -> None:
    """All runs are complete, MLflow has one finished run of each, and the study its trials."""
    from sweeper.track.backend.mlflow import connect

    confirmed = StudyReader(paths_in(folder).folder).confirmed()
    assert confirmed is not None
    assert confirmed.winner is not None
    assert [len(trial.runs) for trial in confirmed.trials] == [SEEDS] * TOP
    assert all(run.figures for trial in confirmed.trials for run in trial.runs)
    assert len(complete(folder)) == TOP * SEEDS
    url = f"sqlite:///{folder}/experiments/studies.db"
    assert len(optuna.load_study(study_name="digits_lite0", storage=url).trials) == TRIALS
    client = connect(f"sqlite:///{folder}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("digits_lite0")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert {one.info.status for one in runs} <= {"FINISHED", "FAILED"}
    finished = Counter(
        (one.data.tags["sweeper.rerun_of"], one.data.tags["sweeper.seed"])
        for one in runs
        if one.data.tags["sweeper.role"] == "confirm" and one.info.status == "FINISHED"
    )
    assert len(finished) == TOP * SEEDS
    assert set(finished.values()) == {1}


@pytest.mark.kill
def test_killed_at_random_moments_no_run_is_lost_and_none_is_made_twice(tmp_path: Path) -> None:
    moments = random.Random(2)
    before: dict[str, float] = {}
    for kill in range(KILLS):
        with controller(tmp_path, *SWEEP) as process:
            await_line(process, "rerun of trial")
            delay = moments.uniform(0, 6)
            print(f"kill {kill}: {delay:.3f} s after a rerun began")
            try:
                process.communicate(timeout=delay)
                break  # it has come to its end
            except subprocess.TimeoutExpired:
                process.kill()
        now = complete(tmp_path)
        assert before.items() <= now.items()
        before = now
    code, printed = run(tmp_path, *SWEEP)
    assert code == 0, printed
    assert before.items() <= complete(tmp_path).items()
    check(tmp_path)


@pytest.mark.slow
@pytest.mark.more
def test_interrupted_by_ctrl_c_they_continue_from_their_checkpoints(tmp_path: Path) -> None:
    with controller(tmp_path, *SWEEP) as process:
        await_line(process, "rerun of trial")
        await_line(process, AT_ITS_FIRST_REPORT)
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGINT, printed
    assert "interrupted while trials were run again; the same command continues" in printed
    assert not paths_in(tmp_path).confirmed.exists()
    code, printed = run(tmp_path, *SWEEP)
    assert code == 0, printed
    logs = [TrialPaths(one).log.read_text() for one in paths_in(tmp_path).reruns]
    assert any("resumes after epoch" in text for text in logs)
    check(tmp_path)
