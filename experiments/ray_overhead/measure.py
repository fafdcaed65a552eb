"""How busy 16 slots of a Ray cluster are, and what a trial costs beside ray.tune.

    pip install 'ray[tune]'
    python experiments/ray_overhead/measure.py [--trials 64] [--slots 16] [--seconds 20]

Trials sleep, so that two processors are enough for all slots. Each notes when it began and ended.
``busy`` is the share of the slots' time between the first beginning and the last end in which a
trial slept; ``a trial costs`` is the rest, for each trial. In turns, on one cluster.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
CONTENDERS = ("sweeper", "ray.tune", "ray.tune, processes used again")


@dataclass(frozen=True)
class Run:
    """When each trial of one run began and ended."""

    spans: Sequence[tuple[float, float]]
    slots: int

    @property
    def available(self) -> float:
        """Seconds of all slots from the first beginning to the last end."""
        first, last = min(b for b, _ in self.spans), max(e for _, e in self.spans)
        return self.slots * (last - first)

    @property
    def used(self) -> float:
        """Seconds in which trials ran."""
        return sum(ended - began for began, ended in self.spans)

    @property
    def overhead(self) -> float:
        """Seconds of a slot that each trial took beside its own."""
        return (self.available - self.used) / len(self.spans)


def run(contender: str, address: str, folder: Path, given: argparse.Namespace) -> Run:
    """One run, in a folder of its own."""
    record = folder / "record.txt"
    folder.mkdir()
    if contender == "sweeper":
        executor = f"{{kind: ray, address: '{address}', num_cpus: 1}}"
        command = [FOLDER / "app.py", "-m", "hydra/sweeper=async_optuna"]
        command += ["hydra/sweeper/sampler=random", "x=interval(0,1)"]
        command += [f"seconds={given.seconds}", f"record={record}", f"hydra.sweep.dir={folder}/s"]
        command += [f"hydra.sweeper.n_trials={given.trials}"]
        command += [f"hydra.sweeper.n_jobs={given.slots}", f"hydra.sweeper.executor={executor}"]
    else:
        command = [FOLDER / "tuned.py", "--address", address, "--trials", given.trials]
        command += ["--slots", given.slots, "--seconds", given.seconds, "--record", record]
        command += ["--folder", folder / "tune", *(["--reuse"] if "again" in contender else [])]
    ended = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=folder,
        env={**os.environ, "RAY_AIR_NEW_OUTPUT": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise RuntimeError(f"{contender} ended with {ended.returncode}:\n{ended.stderr[-3000:]}")
    lines = [line.split() for line in record.read_text().splitlines()]
    spans = [(float(began), float(end)) for began, end in lines]
    assert len(spans) == given.trials
    return Run(spans, given.slots)


def main() -> None:
    """Run all contenders in turns, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    from ray.cluster_utils import Cluster

    head = {"num_cpus": given.slots, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    runs: dict[str, list[Run]] = {name: [] for name in CONTENDERS}
    try:
        with tempfile.TemporaryDirectory() as folder:
            for turn in range(given.repeats):
                for name in CONTENDERS:
                    place = Path(folder, f"{turn}-{name.replace(' ', '-')}")
                    made = run(name, cluster.address, place, given)
                    runs[name].append(made)
                    share = made.used / made.available
                    print(f"{name}: {share:.1%} busy, {made.overhead:.2f} s", flush=True)
    finally:
        cluster.shutdown()
    print(f"\n{given.trials} trials of {given.seconds:g} s on {given.slots} slots")
    print("| | busy | a trial costs, s | beside ray.tune |\n|---|---|---|---|")
    peer = statistics.median(made.overhead for made in runs["ray.tune"])
    for name, made in runs.items():
        shares = [one.used / one.available for one in made]
        costs = sorted(one.overhead for one in made)
        middle = statistics.median(costs)
        print(
            f"| {name} | {statistics.median(shares):.1%} | {middle:.2f} ({costs[0]:.2f} to "
            f"{costs[-1]:.2f}) | {middle / peer:.2f} |"
        )


if __name__ == "__main__":
    main()
