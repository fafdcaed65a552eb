"""The fork server has what a trial's process needs to open its store, and runs nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys, threading
import mlflow, mlflow.keras, sweeper.train.runtime.preload
assert threading.active_count() == 1, threading.enumerate()
before = set(sys.modules)
from sweeper.track.mlflow import connect, ensure_experiment, start_run
uri = "sqlite:///" + sys.argv[1] + "/mlflow.db"
client = connect(uri)
run = start_run(client, ensure_experiment(client, uri, "one"), "run", {})
run.log_params({"a": 1})
run.set_tags({"b": "c"})
run.log_metrics({"d": 1.0}, 0)
run.flush()
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print("heavy:", sorted(new & {"sqlalchemy", "graphql", "cryptography", "requests", "pandas"}))
print("count:", len(set(sys.modules) - before))
"""


@pytest.mark.slow
def test_opening_a_store_imports_little_more(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "heavy: []" in done.stdout
    # without the warm module there are several hundred
    assert int(done.stdout.partition("count:")[2]) < 60, done.stdout
