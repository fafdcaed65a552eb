"""A whole sweep whose MLflow server fails from its second epoch on, as a person sees it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow_servers import mlflow_server, proxy
from patience import PATIENCE

from sweeper.report.reader import StudyReader

EPOCHS = 4
SWEEP = (
    "+experiment=digits_lite0",
    "-m",
    "image_size=32",
    "batch_size=128",
    "phases.frozen.epochs=3",
    "phases.unfrozen.epochs=1",
    "hydra.sweeper.n_trials=2",
    "freeze.unfreeze_blocks=1",
)


def sweeper(folder: Path, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "sweeper", *words],
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.more
def test_a_sweep_is_complete_and_its_server_filled_later(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    with mlflow_server(tmp_path / "server") as server, proxy(server.url) as front:
        printed = []
        with sweeper(tmp_path, *SWEEP, f"tracking.uri={front.url}") as process:
            assert process.stdout is not None
            for line in process.stdout:
                printed.append(line)
                if "frozen epoch 2 of" in line:
                    front.fate = lambda _method, _path: "fail"
        assert process.returncode == 0, "".join(printed)
        (outstanding,) = [line for line in printed if line.startswith("MLflow lacks")]
        assert "of 3 runs (it answers 500)" in outstanding
        assert outstanding.endswith("python -m sweeper sync experiments/digits_lite0\n")
        assert len([line for line in printed if line.startswith("warning: MLflow at")]) == 1
        front.fate = lambda _method, _path: "pass"
        with sweeper(tmp_path, "sync") as process:
            screen, _ = process.communicate(timeout=PATIENCE)
        assert (process.returncode, screen) == (0, "MLflow has all that was recorded\n")
        client = MlflowClient(server.url)
        experiment = client.get_experiment_by_name("digits_lite0")
        assert experiment is not None
        reader = StudyReader(tmp_path / "experiments" / "digits_lite0")
        summary = reader.summary()
        assert [str(row.state) for row in summary.rows] == ["complete"] * 2
        assert summary.best is not None
        for run in client.search_runs([experiment.experiment_id]):
            assert run.info.status == "FINISHED"
            if "sweeper.trial_number" not in run.data.tags:
                continue
            number = int(run.data.tags["sweeper.trial_number"])
            epochs = reader.curves(number)
            assert [epoch.step for epoch in epochs] == list(range(EPOCHS))
            for name in epochs[1].metrics:
                history = client.get_metric_history(run.info.run_id, name)
                wanted = [(epoch.step, epoch.metrics[name]) for epoch in epochs]
                assert [(one.step, one.value) for one in history] == wanted
            assert next(iter(run.data.metrics)) == "best_val_accuracy"
            models = run.outputs.model_outputs if run.outputs else []
            assert len(models) == (number == summary.best.number)
