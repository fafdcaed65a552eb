"""What a failing MLflow server costs the trials of a sweep: one sweep for each fault, in turns.

    python experiments/server_faults/measure.py [--repeats 1]

The sweep is of `digits_lite0`, whose sampler is seeded: each trial of one number does the same work
in all of them. From the second epoch of the first trial on the server is stopped for 30 s, hangs
for 60 s, or answers 500 until the sweep is over. Then `sweeper sync`, and every point that the
trials recorded is compared with those of the server.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from signal import SIGCONT, SIGSTOP

from mlflow import MlflowClient

from sweeper.report.reader import StudyReader

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from mlflow_servers import MlflowServer, Proxy, mlflow_server, proxy

TRIALS = 4
SWEEP = (
    *("+experiment=digits_lite0", "-m", f"hydra.sweeper.n_trials={TRIALS}"),
    *("phases.frozen.epochs=8", "phases.unfrozen.epochs=8"),
)


def no_fault(server: MlflowServer, front: Proxy) -> None:
    """Leave the server alone."""


def stopped(server: MlflowServer, front: Proxy) -> None:
    """End the server, and start it again after 30 s."""
    server.stop()
    threading.Timer(30, server.start).start()


def hangs(server: MlflowServer, front: Proxy) -> None:
    """Stop the server's processes where they stand, for 60 s; connections stay open."""
    server.signal(SIGSTOP)
    threading.Timer(60, server.signal, [SIGCONT]).start()


def fails(server: MlflowServer, front: Proxy) -> None:
    """Answer each request with 500 until the sweep is over."""
    front.fate = lambda _method, _path: "fail"


FAULTS: Mapping[str, Callable[[MlflowServer, Proxy], None]] = {
    "none": no_fault,
    "stopped for 30 s": stopped,
    "hangs for 60 s": hangs,
    "500 to the end": fails,
}


def sweep(fault: Callable[[MlflowServer, Proxy], None]) -> tuple[list[float], int, int]:
    """Seconds of each trial, points that they recorded, and points that the server has once."""
    with tempfile.TemporaryDirectory() as name, mlflow_server(Path(name)) as server:
        folder = Path(name, "project")
        folder.mkdir()
        with proxy(server.url) as front:
            run(folder, *SWEEP, f"tracking.uri={front.url}", event=lambda: fault(server, front))
            front.fate = lambda _method, _path: "pass"
            run(folder, "sync")
        reader = StudyReader(folder / "experiments" / "digits_lite0")
        rows = [row for row in reader.summary().rows if str(row.state) == "complete"]
        client = MlflowClient(server.url)
        (experiment,) = client.search_experiments(filter_string="name = 'digits_lite0'")
        runs = client.search_runs([experiment.experiment_id])
        run_of = {run.data.tags.get("sweeper.trial_number"): run.info.run_id for run in runs}
        points = arrived = 0
        for trial in reader.trials():
            epochs = reader.curves(trial.about.number)
            for metric in {name for epoch in epochs for name in epoch.metrics}:
                history = client.get_metric_history(run_of[str(trial.about.number)], metric)
                wanted = [(e.step, e.metrics[metric]) for e in epochs if metric in e.metrics]
                points += len(wanted)
                arrived += len(wanted) * ([(one.step, one.value) for one in history] == wanted)
        assert len(rows) == TRIALS, rows
        return [row.seconds for row in rows], points, arrived


def run(folder: Path, *words: str, event: Callable[[], None] | None = None) -> None:
    """Run a command of sweeper; ``event`` is called once, at the first second epoch it prints."""
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "sweeper", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "frozen epoch 2 of" in line and event is not None:
                event()
                event = None
    assert process.returncode == 0, words


def main() -> None:
    """Print a line a sweep: seconds of its trials, their sum, points recorded and arrived."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=1)
    sums: dict[str, list[float]] = {name: [] for name in FAULTS}
    for _ in range(parser.parse_args().repeats):
        for name, fault in FAULTS.items():
            seconds, points, arrived = sweep(fault)
            sums[name].append(sum(seconds))
            times = " ".join(f"{one:.1f}" for one in seconds)
            print(f"{name:18} {times}  sum {sums[name][-1]:.1f} s", end="  ")
            print(f"points {arrived} of {points}", flush=True)
    usual = statistics.median(sums["none"])
    for name, taken in sums.items():
        print(f"{name:18} {statistics.median(taken) / usual:.3f} of the undisturbed")


if __name__ == "__main__":
    main()
