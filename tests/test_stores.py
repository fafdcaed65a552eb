"""A sweep on the stores that several machines share, as ``make stores`` starts them."""

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from mlflow import MlflowClient
from patience import PATIENCE

STORES = Path(__file__).with_name("stores.py")
SWEEP = (
    *("+experiment=digits_lite0", "image_size=32", "dataset.fraction=0.2", "-m"),
    *("phases.unfrozen=null", "phases.frozen.epochs=1", "hydra.sweeper.n_trials=2"),
    *("~hydra.sweeper.params", "optimizer.learning_rate=1e-3,1e-2"),
)


def listens(url: str) -> bool:
    at = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((at.hostname, at.port)) == 0


@pytest.mark.slow
@pytest.mark.more
def test_a_sweep_uses_all_three_and_ctrl_c_ends_them(tmp_path: Path) -> None:
    started = subprocess.Popen([sys.executable, STORES], stdout=subprocess.PIPE, text=True)
    try:
        assert started.stdout is not None
        found = {}
        for line in started.stdout:
            if at := re.match(r"(studies|runs) +(\S+?)=(\S+)$", line):
                found[at[2]] = at[3]
            if "Ctrl-C" in line:
                break
        tracking = found["tracking.uri"]
        ended = subprocess.run(
            [sys.executable, "-m", "sweeper", *SWEEP, *map("=".join, found.items())],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        client = MlflowClient(tracking)
        (experiment,) = client.search_experiments(filter_string="name = 'digits_lite0'")
        runs = client.search_runs([experiment.experiment_id])
        assert len(runs) == 3
        (study,) = (run for run in runs if run.data.tags["sweeper.role"] == "study")
        assert study.info.artifact_uri.startswith("mlflow-artifacts:")
        report = client.download_artifacts(study.info.run_id, "report.html", str(tmp_path))
        assert Path(report).stat().st_size > 1_000_000
        assert not (tmp_path / "mlruns").exists()
    finally:
        started.send_signal(signal.SIGINT)
        assert started.wait(PATIENCE) == 0
        assert started.stdout is not None
        started.stdout.close()
    assert not listens(tracking)
    assert not listens(found["hydra.sweeper.storage"])
