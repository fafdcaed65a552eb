"""A worker, a node and the head of a Ray cluster are killed."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from clusters import ENVIRONMENT, Nodes
from faults.sweeps import TWENTY, counted, engine, shortened
from optuna.trial import TrialState
from search.controllers import load

GROUP = "Ray"
Seen = Callable[[str], None]


@pytest.fixture
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    pytest.importorskip("ray")
    made = Nodes(tmp_path_factory.mktemp("nodes"))
    made.start_all(others=1)
    yield made
    made.close()


def words(nodes: Nodes) -> tuple[str, ...]:
    executor = f"{{kind: ray, address: '{nodes.address}', num_cpus: 1}}"
    return (*TWENTY, f"hydra.sweeper.executor={executor}", "pause=0.5")


def processes(node: int, nodes: Nodes, name: str) -> list[psutil.Process]:
    """Processes of a node, counted from the head, whose command line has ``name``."""
    found = psutil.Process(nodes.started[node].pid).children(recursive=True)
    return [process for process in found if name in " ".join(process.cmdline())]


def finished(folder: Path) -> str:
    trials = load(folder).trials
    assert sum(trial.state is TrialState.COMPLETE for trial in trials) == 20
    assert not any(trial.state is TrialState.RUNNING for trial in trials)
    return counted(trials, 20)


@pytest.mark.faults(
    fault="`kill -9` of the worker of Ray that holds a slot",
    promised="its trial is tried again, the slot gets another worker: exactly `n_trials`",
)
def test_a_killed_worker(tmp_path: Path, nodes: Nodes, seen: Seen) -> None:
    with engine(tmp_path, *words(nodes), environment=ENVIRONMENT) as sweep:
        sweep.await_line("step 1", times=3)
        workers = [one for node in (0, 1) for one in processes(node, nodes, "ray::")]
        holding = [one for one in workers if one.children()]
        holding[0].kill()
        assert sweep.end() == 0, sweep.printed
    reasons = {trial.user_attrs.get("reason") for trial in load(tmp_path).trials} - {None}
    seen(f"{finished(tmp_path)}; reason {shortened(str(*reasons), tmp_path)}; exit code 0")


@pytest.mark.faults(
    fault="`kill -9` of a raylet, the process of a node",
    promised="its trials are lost and tried again elsewhere (`retries.lost`): exactly `n_trials`",
)
def test_a_killed_raylet(tmp_path: Path, nodes: Nodes, seen: Seen) -> None:
    with engine(tmp_path, *words(nodes), environment=ENVIRONMENT) as sweep:
        sweep.await_line("step 1", times=4)
        (raylet,) = processes(1, nodes, "raylet/raylet")
        raylet.kill()
        assert sweep.end() == 0, sweep.printed
    seen(f"{finished(tmp_path)}; exit code 0; {sweep.silence:.0f} s without progress")


@pytest.mark.faults(
    fault="`kill -9` of all processes of the head, which has the cluster's state",
    promised="the sweep ends with a sentence before Ray ends it; on a new cluster the same command "
    "continues it",
)
def test_a_killed_head(tmp_path: Path, nodes: Nodes, seen: Seen) -> None:
    with engine(tmp_path, *words(nodes), environment=ENVIRONMENT) as sweep:
        sweep.await_line("step 1", times=4)
        nodes.kill_one(0)
        assert sweep.end() == 1, sweep.printed
        said = sweep.last_line
        assert "the head of the Ray cluster at" in said, sweep.printed
    nodes.close()
    nodes.start_all(others=0)
    with engine(tmp_path, *words(nodes), environment=ENVIRONMENT) as sweep:
        assert sweep.end() == 0, sweep.printed
    seen(f"exit code 1, {shortened(said, tmp_path)}; then {finished(tmp_path)}")


@pytest.mark.faults(
    fault="SIGSTOP of the head's server (GCS) for a minute",
    promised="trials that run continue, what asks the cluster waits: exactly `n_trials`",
)
def test_a_stopped_head(tmp_path: Path, nodes: Nodes, seen: Seen) -> None:
    with engine(tmp_path, *words(nodes), environment=ENVIRONMENT) as sweep:
        sweep.await_line("step 1", times=4)
        (server,) = processes(0, nodes, "gcs_server")
        server.suspend()
        time.sleep(60)  # this long it shall take
        server.resume()
        assert sweep.end() == 0, sweep.printed
    seen(f"{finished(tmp_path)}; exit code 0; {sweep.silence:.0f} s without progress")
