"""The plugin in an application of its own, in real processes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import optuna
import pytest
from omegaconf import OmegaConf
from optuna.trial import TrialState

TOY = Path(__file__).with_name("toy_app.py")


def sweep(
    folder: Path, *arguments: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(TOY), "-m", *arguments],
        cwd=folder,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_each_trial_is_a_hydra_job_and_its_value_the_objective(tmp_path: Path) -> None:
    ended = sweep(
        tmp_path,
        "x=interval(-1,2)",
        "n=range(1,4)",
        "hydra.sweeper.n_trials=4",
        "hydra.sweeper.sampler.seed=1",
        "hydra.sweeper.storage=sqlite:///studies.db",
        "hydra.sweeper.study_name=toy",
    )
    assert ended.returncode == 0, ended.stderr
    assert "(best so far)" in ended.stdout
    trials = optuna.load_study(study_name="toy", storage=f"sqlite:///{tmp_path}/studies.db").trials
    assert [trial.number for trial in trials] == [0, 1, 2, 3]
    for trial in trials:
        folder = tmp_path / "out" / str(trial.number)
        assert trial.value == (trial.params["x"] - 0.5) ** 2
        config = OmegaConf.load(folder / ".hydra" / "config.yaml")
        assert config.x == trial.params["x"]
        assert config.n == trial.params["n"]
        seen = json.loads((folder / "seen.json").read_text())
        assert seen == {"number": trial.number, "n": trial.params["n"], "type": "int"}
        assert f"x is {trial.params['x']}" in (folder / "toy_app.log").read_text()


def test_a_trial_that_dies_is_recorded_and_the_sweep_goes_on(tmp_path: Path) -> None:
    ended = sweep(
        tmp_path,
        "kind=ok,raise,kill,nonsense",
        "hydra.sweeper.n_trials=12",
        "hydra/sweeper/sampler=random",
        "hydra.sweeper.sampler.seed=0",
    )
    assert ended.returncode == 0, ended.stderr
    for reason in ("ValueError: boom", "killed by SIGKILL", "'nonsense', which is no number"):
        assert reason in ended.stdout
    assert "trial 11 of 12 started" in ended.stdout
    assert ended.stderr == ""


def test_a_sweep_in_which_all_fail_ends_with_a_message(tmp_path: Path) -> None:
    ended = sweep(tmp_path, "kind=raise", "hydra.sweeper.n_trials=2")
    assert ended.returncode == 1
    assert "completed; the log of each is in its folder" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_same_command_again_runs_only_what_is_missing(tmp_path: Path) -> None:
    stored = ("hydra.sweeper.storage=sqlite:///s.db", "hydra.sweeper.study_name=toy")
    sweep(tmp_path, "x=interval(0,1)", "hydra.sweeper.n_trials=1", *stored)
    first = (tmp_path / "out" / "0" / "seen.json").stat().st_mtime_ns
    ended = sweep(tmp_path, "x=interval(0,1)", "hydra.sweeper.n_trials=2", *stored)
    assert "study toy goes on: 1 of 2 trials done" in ended.stdout
    assert (tmp_path / "out" / "0" / "seen.json").stat().st_mtime_ns == first
    assert (tmp_path / "out" / "1" / "seen.json").exists()
    ended = sweep(tmp_path, "x=interval(0,2)", "n=7", "hydra.sweeper.n_trials=2", *stored)
    assert ended.returncode == 1
    assert "n is 7, but the trials of study toy have 1" in ended.stderr
    assert "x is FloatDistribution(high=2.0" in ended.stderr


def test_ctrl_c_closes_everything_and_the_same_command_goes_on(tmp_path: Path) -> None:
    arguments = (
        "x=interval(0,1)",
        "hydra.sweeper.n_trials=2",
        "hydra.sweeper.storage=sqlite:///s.db",
        "hydra.sweeper.study_name=toy",
    )
    command = [sys.executable, str(TOY), "-m", *arguments, "kind=hang"]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**os.environ, "TOY_HANGS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        for line in running.stdout:
            if line.startswith("trial 0 of 2 started"):
                break
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 130
        assert "interrupted; the same command goes on" in running.stderr.read()
    study = optuna.load_study(study_name="toy", storage=f"sqlite:///{tmp_path}/s.db")
    (left, waiting) = study.trials
    assert left.state is TrialState.FAIL
    assert waiting.state is TrialState.WAITING
    ended = sweep(tmp_path, *arguments, "kind=hang", env={"TOY_HANGS": ""})
    assert ended.returncode == 0, ended.stderr
    states = [trial.state for trial in study.get_trials()]
    assert states == [TrialState.FAIL, TrialState.COMPLETE, TrialState.COMPLETE]
    assert study.trials[1].params == left.params


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("nope=choice(1,2)", "Could not override 'nope'"),
        ("hydra.sweeper.direction=up", "direction must be minimize or maximize, got 'up'"),
        ("hydra.sweeper.n_trials=0", "n_trials must be >= 1, got 0"),
    ],
)
def test_what_cannot_run_is_refused_before_a_trial_exists(
    tmp_path: Path, argument: str, said: str
) -> None:
    ended = sweep(tmp_path, argument)
    assert ended.returncode == 1
    assert said in ended.stderr
    assert not (tmp_path / "out" / "0").exists()
