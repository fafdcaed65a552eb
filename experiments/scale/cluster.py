"""What one controller costs on a cluster: trials that sleep, on many slots of Ray on this machine.

    python experiments/scale/cluster.py [--trials 2000] [--slots 64] [--seconds 30]
    python experiments/scale/cluster.py --storage URL --tracking URL  # those of `make stores`

All is as in a sweep of fine-tunes (folders, journals that are delivered to MLflow), but a trial
sleeps, reports ten epochs and records eight metrics at each. Prints what a trial costs the
controller, by part, and what grows with the number of trials. docs/scale.md has a model with these
constants.
"""

import argparse
import contextlib
import functools
import json
import os
import resource
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
from controller import Instant
from omegaconf import DictConfig

from sweeper.entry import run
from sweeper.execute.executor import Executor, Placement
from sweeper.records import StudySummary
from sweeper.search import current_trial, report
from sweeper.search.hooks import with_hooks
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.track.journal import Journal

SQLITE, MLFLOW = "sqlite:///studies.db", "sqlite:///mlruns/mlflow.db"
EPOCHS = 10
METRICS = tuple(f"metric_{number}" for number in range(8))
SECONDS = "CLUSTER_TRIAL_SECONDS"
"""Variable of the trials' environment: how long one sleeps."""


class OnCluster(Instant):
    """Trials need no TensorFlow, but what a job of Hydra and this script import."""

    preload = ("sweeper.app.fine_tune_study", "sweeper.app.runs", "sweeper.entry", "psutil")

    def study_finished(self, summary: StudySummary, _executor: Executor, _place: Placement) -> None:
        """Deliver what MLflow lacks."""
        self._deliver_rest()


@with_hooks(OnCluster)
def main(config: DictConfig) -> float:
    """Sleep, report and record."""
    trial = current_trial()
    assert trial is not None
    paths, began = TrialPaths(trial.spec.folder), time.time()
    journal, seconds = Journal(paths.mlflow), float(os.environ[SECONDS])
    value = -((config.optimizer.learning_rate - 0.004) ** 2)
    for epoch in range(1, EPOCHS + 1):
        time.sleep(seconds / EPOCHS)
        journal.log_metrics(dict.fromkeys(METRICS, value), step=epoch)
        report(value, epoch)
    (paths.folder / "span.json").write_text(json.dumps([began, time.time()]))
    return float(value)


@dataclass
class Cost:
    """What calls of one part took, over all threads of the controller."""

    calls: int = 0
    processor: float = 0.0
    longest: float = 0.0
    waited: float = 0.0


COSTS: dict[str, Cost] = {}
_LOCK = threading.Lock()


@contextlib.contextmanager
def counted(name: str) -> Iterator[None]:
    """Add the block to the costs of ``name``."""
    began, wall = time.thread_time(), time.perf_counter()
    try:
        yield
    finally:
        took, waited = time.thread_time() - began, time.perf_counter() - wall
        with _LOCK:
            cost = COSTS.setdefault(name, Cost())
            cost.calls += 1
            cost.processor += took
            cost.waited += waited
            cost.longest = max(cost.longest, waited)


def count(owner: type, method: str, name: str) -> None:
    """Count the calls of a method."""
    plain: Callable[..., Any] = getattr(owner, method)

    @functools.wraps(plain)
    def timed(*arguments: Any, **more: Any) -> Any:
        with counted(name):
            return plain(*arguments, **more)

    setattr(owner, method, timed)


def count_all() -> None:
    """Count what a trial costs by parts."""
    from sweeper.search.running.slots import Slots
    from sweeper.search.trials.listener import TrialListener
    from sweeper.search.trials.runner import TrialRunner
    from sweeper.search.trials.trial_plan import TrialPlan
    from sweeper.track.rounds import Rounds

    count(Slots, "_next", "waiting for the gate, and counting")
    count(TrialPlan, "suggest", "proposing parameters, behind the gate")
    count(TrialRunner, "_prepare", "composing the recipe, opening the run")
    count(TrialListener, "report", "a report")
    count(Slots, "_ended", "recording the end")
    count(Rounds, "look", "delivering to MLflow, a look")


@dataclass
class Watch:
    """The controller's memory, threads and connections, looked at each second by :meth:`look`."""

    first: int = 0
    most: int = 0
    threads: int = 0
    connections: int = 0
    port: int | None = None
    """Of the study's server, whose connections are counted."""

    def look(self, ended: threading.Event) -> None:
        """Look until ``ended``."""
        process = psutil.Process()
        while not ended.wait(1):
            now = process.memory_info().rss
            self.first = self.first or now
            self.most, self.threads = max(self.most, now), max(self.threads, process.num_threads())
            to_postgres = [one for one in process.net_connections("tcp") if one.raddr]
            self.connections = max(
                self.connections, sum(one.raddr.port == self.port for one in to_postgres)
            )


def size(folder: Path, pattern: str) -> int:
    """Bytes of the files below ``folder`` that match."""
    return sum(path.stat().st_size for path in folder.rglob(pattern) if path.is_file())


def print_slots(spans: list[tuple[float, float]], slots: int, seconds: float) -> None:
    """How busy the slots were, and how long a slot waited for its next trial."""
    first, last = min(began for began, _ in spans), max(ended for _, ended in spans)
    used = sum(ended - began for began, ended in spans)
    idle = (slots * (last - first) - used) / len(spans)
    print(
        f"\n{len(spans)} trials in {last - first:.0f} s: {len(spans) / (last - first):.2f} a second"
    )
    print(f"slots are {used / (slots * (last - first)):.1%} busy; {idle:.2f} s between two trials")
    print(
        f"a trial sleeps {seconds:g} s and takes {statistics.median(e - b for b, e in spans):.2f}"
    )


def database_size(storage: str) -> int:
    """Bytes of the study's database."""
    if storage == SQLITE:
        return Path("studies.db").stat().st_size
    import psycopg

    with psycopg.connect(storage.replace("+psycopg", "")) as database:
        row = database.execute("select pg_database_size(current_database())").fetchone()
    assert row is not None
    return int(row[0])


def main_run(asked: argparse.Namespace, address: str) -> None:
    """One sweep, here, and what it cost."""
    trials, slots, storage = asked.trials, asked.slots, asked.storage
    count_all()
    words = [
        *("-m", "+experiment=digits_lite0", f"hydra.sweeper.n_trials={trials}"),
        *("hydra/sweeper/sampler=random", f"hydra.sweeper.n_jobs={slots}"),
        f"hydra.sweeper.executor={{kind: ray, address: '{address}', num_cpus: 1}}",
        *(f"hydra.sweeper.storage={storage}", "hydra.sweep.dir=study"),
        f"tracking.uri={asked.tracking}",
    ]
    watch, ended = Watch(port=urlsplit(storage).port), threading.Event()
    looking = threading.Thread(target=watch.look, args=(ended,))
    looking.start()
    before = time.process_time()
    run(main, words)
    took = time.process_time() - before
    ended.set()
    looking.join()
    folders = sorted(Path("study").rglob("span.json"))
    assert len(folders) == trials
    print_slots([tuple(json.loads(path.read_text())) for path in folders], slots, asked.seconds)
    print("\n| part | calls | ms of a processor, each | longest, ms |\n|---|---|---|---|")
    for name, cost in COSTS.items():
        each = 1000 * cost.processor / cost.calls
        print(f"| {name} | {cost.calls:,} | {each:.1f} | {1000 * cost.longest:.0f} |")
    print(f"| all, for each trial | {trials:,} | {1000 * took / trials:.1f} | |")
    print(f"\nmemory: {watch.first / 1e6:.0f} MB, at most {watch.most / 1e6:.0f}; ", end="")
    print(f"threads: {watch.threads}, connections: {watch.connections}; ", end="")
    print(f"MB of the peak: {resource_peak():.0f}")
    kept = size(Path("study"), "*") / trials
    study = database_size(storage) / trials
    print(f"bytes a trial: study's database {study:,.0f}, files {kept:,.0f}")
    if asked.tracking == MLFLOW:
        runs = Path("mlruns/mlflow.db")
        with contextlib.closing(sqlite3.connect(runs)) as store:
            (points,) = store.execute("select count(*) from metrics").fetchone()
        print(f"MLflow's database: {runs.stat().st_size / trials:,.0f}; points: {points:,}")


def resource_peak() -> float:
    """The largest memory of this process, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--storage", default=SQLITE)
    parser.add_argument("--tracking", default=MLFLOW)
    asked = parser.parse_args()
    os.environ[SECONDS] = str(asked.seconds)
    import ray
    from ray.cluster_utils import Cluster

    head = {"num_cpus": asked.slots, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            main_run(asked, cluster.address)
    finally:
        ray.shutdown()
        cluster.shutdown()
