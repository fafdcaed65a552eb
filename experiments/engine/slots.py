"""How busy are the slots when trials last 0.5 s and 4 s? Ours and hydra-optuna-sweeper 1.3.0.

    python experiments/engine/slots.py

24 trials, every fourth of 4 s, on 4 slots, in three orders. It prints a table and draws
``slots.png``; about two minutes, and a half more the first time.
"""

import argparse
import heapq
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sweeps import FOLDER, SWEEPERS, conditions, sweep

TRIALS = 24
SLOTS = 4
ORDERS = 3

_GRID = (
    f"i=range(0,{TRIALS})",
    "hydra/sweeper/sampler=grid",
    f"hydra.sweeper.n_trials={TRIALS}",
    f"hydra.sweeper.n_jobs={SLOTS}",
)
_TITLE = {"ours": "async_optuna", "peer": "hydra-optuna-sweeper 1.3.0, joblib launcher"}


@dataclass(frozen=True)
class Task:
    """One call of the task function; times in seconds since the first one began."""

    began: float
    ended: float
    index: int

    @property
    def seconds(self) -> float:
        return self.ended - self.began


@dataclass(frozen=True)
class Run:
    """One sweep: its tasks in the order in which they began; ``command`` is the whole command."""

    sweeper: str
    order: int
    tasks: Sequence[Task]
    command: float

    @property
    def makespan(self) -> float:
        """Seconds from the beginning of the first task to the end of the last."""
        return max(task.ended for task in self.tasks)

    @property
    def ideal(self) -> float:
        """The makespan if each slot took the next task of this order at once and at no cost."""
        free = [0.0] * SLOTS
        for task in self.tasks:
            heapq.heapreplace(free, free[0] + task.seconds)
        return max(free)

    @property
    def ratio(self) -> float:
        return self.ideal / self.makespan

    @property
    def busy(self) -> float:
        """Part of the slots' time that tasks took, the tail where nothing is left included."""
        return sum(task.seconds for task in self.tasks) / (SLOTS * self.makespan)


def run(sweeper: str, order: int, folder: Path) -> Run:
    """Sweep once, with the grid in the order that the number ``order`` gives."""
    record = folder / "record.txt"
    overrides = {
        "ours": (*_GRID, f"hydra.sweeper.sampler.seed={order}"),
        "peer": (*_GRID, "hydra/launcher=joblib", f"hydra.launcher.n_jobs={SLOTS}"),
    }
    seconds = sweep(sweeper, folder, (*overrides[sweeper], f"record={record}"), order)
    lines = [line.split() for line in record.read_text().splitlines()]
    if sorted(int(index) for *_, index in lines) != list(range(TRIALS)):
        raise RuntimeError(f"{sweeper} ran other trials than {TRIALS} different ones: {lines}")
    first = min(float(began) for began, *_ in lines)
    tasks = [Task(float(b) - first, float(e) - first, int(index)) for b, e, index in lines]
    return Run(sweeper, order, sorted(tasks, key=lambda task: task.began), seconds)


def rows(tasks: Sequence[Task]) -> list[tuple[int, Task]]:
    """Each task with a slot that was free when it began; which one it truly had does not show."""
    free = [0.0] * SLOTS
    placed = []
    for task in tasks:
        slot = max(
            (slot for slot in range(SLOTS) if free[slot] <= task.began),
            key=lambda slot: free[slot],
        )
        free[slot] = task.ended
        placed.append((slot, task))
    return placed


def draw(runs: Sequence[Run], path: Path) -> None:
    """Draw one run of each sweeper above the other, on the same time axis."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    figure, charts = plt.subplots(len(runs), 1, figsize=(9, 4.2), sharex=True, layout="constrained")
    for chart, shown in zip(charts, runs, strict=True):
        for slot, task in rows(shown.tasks):
            color = "tab:orange" if task.seconds > 1 else "tab:blue"
            chart.barh(slot, task.seconds, left=task.began, color=color, edgecolor="white")
        chart.set_title(
            f"{_TITLE[shown.sweeper]}: {shown.makespan:.1f} s, without any cost or waiting "
            f"{shown.ideal:.1f} s",
            loc="left",
            fontsize=10,
        )
        chart.set_yticks(range(SLOTS), [f"slot {slot}" for slot in range(SLOTS)])
        chart.invert_yaxis()
        chart.spines[["top", "right"]].set_visible(False)
    charts[-1].set_xlabel("seconds since the first trial's task began (blue: 0.5 s, orange: 4 s)")
    figure.savefig(path, dpi=110)


def spread(values: Sequence[float], digits: int = 2) -> str:
    """The median, and the smallest and largest value."""
    middle, low, high = (f"{f(values):.{digits}f}" for f in (statistics.median, min, max))
    return f"{middle} ({low}-{high})"


def main() -> None:
    """Sweep in each order with either sweeper in turn, print the table, draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--orders", type=int, default=ORDERS, help="how many orders of the grid")
    orders = parser.parse_args().orders
    runs: list[Run] = []
    print(conditions(), "\n")
    print("| sweeper | order | makespan s | ideal s | ideal/actual | busy | command s |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for order in range(orders):
            for sweeper in SWEEPERS:
                runs.append(done := run(sweeper, order, Path(folder, f"{sweeper}-{order}")))
                print(
                    f"| {sweeper} | {order} | {done.makespan:.2f} | {done.ideal:.2f} "
                    f"| {done.ratio:.3f} | {done.busy:.3f} | {done.command:.1f} |",
                    flush=True,
                )
    print("\nmedian (smallest-largest)\n")
    print("| sweeper | makespan s | ideal/actual | busy | command s |\n|---|---|---|---|---|")
    for sweeper in SWEEPERS:
        own = [done for done in runs if done.sweeper == sweeper]
        print(
            f"| {sweeper} | {spread([done.makespan for done in own], 1)} "
            f"| {spread([done.ratio for done in own], 3)} "
            f"| {spread([done.busy for done in own])} "
            f"| {spread([done.command for done in own], 1)} |"
        )
    print(f"\n{conditions()}")
    for sweeper in SWEEPERS:
        ratio = statistics.median(done.ratio for done in runs if done.sweeper == sweeper)
        print(f"RATIO slots_{sweeper} {ratio:.3f}")
    draw(runs[: len(SWEEPERS)], FOLDER / "slots.png")


if __name__ == "__main__":
    main()
