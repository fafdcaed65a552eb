"""What a trial costs when its objective costs nothing: Optuna, the engine, hydra-optuna-sweeper.

    python experiments/engine/overhead.py [--trials 1000] [--sweep-trials 200] [--repeats 3]

Three parts, each with a table:

- the loop: ``study.optimize`` beside the engine's slots on the same storage, in turns;
- memory: of a process that runs the engine on SQLite, and of one that runs ``study.optimize``;
- the sweep: the whole command, ours and hydra-optuna-sweeper 1.3.0, in turns.

Where storages are files they are in the folder for temporary files, and time is mostly the disk's.
With ``TMPDIR`` set to a folder in memory (``/dev/shm``) the processor's share shows.
"""

import argparse
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import optuna
from loops import Advance, engine_loop, optuna_loop
from optuna.storages import InMemoryStorage, RDBStorage
from sweeps import SWEEPERS, conditions, sweep

from sweeper.search.stores.exclusive import Store
from sweeper.search.stores.opening import open_store

TURNS = 10
"""The trials of a study are run in so many turns, one contender after the other."""
LIMIT = 1.5
HEARTBEAT = 60
AS_OURS = "optuna, SQLite opened as ours"


@dataclass(frozen=True)
class Turn:
    """What a turn took: seconds that passed, and seconds that the processor worked for it."""

    wall: float
    processor: float


Turns = Mapping[str, Sequence[Turn]]
"""What each contender took, turn by turn."""


def in_a_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call ``function`` in a fresh process, so that no figure depends on those before it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def contenders(kind: str, pruning: bool, folder: Path) -> dict[str, Advance]:
    """The loops to compare on one kind of storage, each on a storage of its own."""

    def store(name: str) -> Store:
        urls = {
            "memory": None,
            "journal": f"journal:///{folder / name}.log",
            "sqlite": f"sqlite:///{folder / name}.db",
        }
        return open_store(urls[kind], name, HEARTBEAT)

    loops = {
        "optuna": optuna_loop(store("optuna").storage, pruning),
        "ours": engine_loop(store("engine"), pruning, folder),
    }
    if kind == "sqlite":
        default = RDBStorage(f"sqlite:///{folder / 'default.db'}")
        loops = {
            "optuna": optuna_loop(default, pruning),
            AS_OURS: loops["optuna"],
            "ours": loops["ours"],
        }
    return loops


def time_loops(kind: str, pruning: bool, trials: int) -> Turns:
    """Let the contenders run ``trials`` trials each, in turns."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        # whoever comes first would pay for what Optuna imports late
        optuna_loop(InMemoryStorage(), pruning)(20)
        loops = contenders(kind, pruning, Path(folder))
        turns: dict[str, list[Turn]] = {name: [] for name in loops}
        for turn in range(TURNS):
            order = list(loops) if turn % 2 else list(reversed(loops))
            for name in order:
                began = time.perf_counter(), time.process_time()
                loops[name](trials // TURNS)
                wall, processor = time.perf_counter() - began[0], time.process_time() - began[1]
                turns[name].append(Turn(wall, processor))
        return turns


def compare_loops(trials: int) -> list[str]:
    """Print what a trial costs in each loop; returns the ratios."""
    ratios = []
    print(f"## The loop: {trials} trials of 10 reports, in {TURNS} turns; {conditions()}\n")
    print("ms a trial: over all turns, in the first, in the last, and of the processor alone")
    print("ours/this: by time passed, its range over the turns, by time of the processor\n")
    print("| storage | pruner | loop | all | first | last | processor ", end="")
    print("| ours/this | in single turns | processor |\n" + "|---" * 10 + "|")
    for kind in ("memory", "journal", "sqlite"):
        for pruning in (False, True):
            turns = in_a_process(time_loops, kind, pruning, trials)
            for name in turns:
                pruner = "median" if pruning else "none"
                print(f"| {kind} | {pruner} | {compare(turns, name, trials)} |", flush=True)
                if name != "ours":
                    same = "_same" if name == AS_OURS else ""
                    label = f"overhead_{kind}{same}" + ("_pruning" if pruning else "")
                    ratio = sum(wall(turns["ours"])) / sum(wall(turns[name]))
                    over = f" (over {LIMIT})" if ratio > LIMIT else ""
                    ratios.append(f"RATIO {label} {ratio:.2f}{over}")
    return ratios


def wall(turns: Sequence[Turn]) -> list[float]:
    """Seconds that passed, turn by turn."""
    return [turn.wall for turn in turns]


def compare(turns: Turns, name: str, trials: int) -> str:
    """The cells of a table's row about contender ``name``."""
    its, ours = turns[name], turns["ours"]
    each = 1000 / (trials // TURNS)
    processor = sum(turn.processor for turn in its)
    times = (statistics.mean(wall(its)), its[0].wall, its[-1].wall, processor / TURNS)
    cells = [name, *(f"{seconds * each:.1f}" for seconds in times)]
    if name == "ours":
        return " | ".join([*cells, "", "", ""])
    single = [mine / other for mine, other in zip(wall(ours), wall(its), strict=True)]
    cells.append(f"{sum(wall(ours)) / sum(wall(its)):.2f}")
    cells.append(f"{min(single):.2f}-{max(single):.2f}")
    cells.append(f"{sum(turn.processor for turn in ours) / processor:.2f}")
    return " | ".join(cells)


def peak_memory(name: str, trials: int) -> list[float]:
    """Peak MB of this process after a fifth of ``trials`` trials on SQLite, and after all."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        loops = contenders("sqlite", False, Path(folder))
        peaks = []
        for part in (trials // 5, trials - trials // 5):
            loops[name](part)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            peaks.append(peak / (1e6 if sys.platform == "darwin" else 1e3))
        return peaks


def compare_memory(trials: int) -> None:
    """Print the peak memory of a process that runs one of the loops."""
    print(
        f"\n## Memory: peak MB of the process, on SQLite\n\n| loop | after {trials // 5} trials ",
        end="",
    )
    print(f"| after {trials} | KB for each trial between |\n|---|---|---|---|")
    for name in ("optuna", "ours"):
        early, late = in_a_process(peak_memory, name, trials)
        each = (late - early) * 1000 / (trials - trials // 5)
        print(f"| {name} | {early:.1f} | {late:.1f} | {each:.1f} |", flush=True)


def time_sweep(sweeper: str, kind: str, trials: int, folder: Path) -> float:
    """Seconds of the whole command for a sweep of ``trials`` trials without reports."""
    overrides = [
        "x=interval(0.0,1.0)",
        "y=interval(0.0,1.0)",
        "hydra.sweeper.sampler.seed=0",
        "hydra.sweeper.n_jobs=1",
        f"hydra.sweeper.n_trials={trials}",
    ]
    if sweeper == "ours":
        overrides.append("hydra.sweeper.executor.kind=inline")
    if kind == "sqlite":
        overrides.append(f"hydra.sweeper.storage=sqlite:///{folder}.db")
    return sweep(sweeper, folder, overrides)


def compare_sweeps(trials: int, repeats: int) -> list[str]:
    """Print what a trial of a whole sweep costs, start of the command included."""
    print(f"\n## The sweep: {trials} trials without reports, {repeats} times; {conditions()}\n")
    print("median (smallest-largest); ms a trial are the whole command's, start-up included\n")
    print("| storage | sweeper | ms a trial | s for a sweep of 1 trial |\n|---|---|---|---|")
    ratios = []
    for kind in ("memory", "sqlite"):
        whole: dict[str, list[float]] = {sweeper: [] for sweeper in SWEEPERS}
        single: dict[str, list[float]] = {sweeper: [] for sweeper in SWEEPERS}
        with tempfile.TemporaryDirectory() as folder:
            for repeat in range(repeats):
                for sweeper in SWEEPERS:
                    for seconds, count in ((whole, trials), (single, 1)):
                        place = Path(folder, f"{sweeper}-{count}-{repeat}")
                        seconds[sweeper].append(time_sweep(sweeper, kind, count, place))
        for sweeper in SWEEPERS:
            each = [seconds * 1000 / trials for seconds in whole[sweeper]]
            print(
                f"| {kind} | {sweeper} "
                f"| {statistics.median(each):.1f} ({min(each):.1f}-{max(each):.1f}) "
                f"| {statistics.median(single[sweeper]):.2f} "
                f"({min(single[sweeper]):.2f}-{max(single[sweeper]):.2f}) |",
                flush=True,
            )
        ratio = statistics.median(whole["ours"]) / statistics.median(whole["peer"])
        ratios.append(f"RATIO sweep_{kind}_ours_to_peer {ratio:.2f}")
    return ratios


def main() -> None:
    """Measure, print the tables, then the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000, help="of a loop; a multiple of 10")
    parser.add_argument("--sweep-trials", type=int, default=200, help="of a whole sweep")
    parser.add_argument("--repeats", type=int, default=3, help="of each whole sweep")
    arguments = parser.parse_args()
    ratios = compare_loops(arguments.trials)
    compare_memory(arguments.trials)
    ratios += compare_sweeps(arguments.sweep_trials, arguments.repeats)
    print(f"\n{conditions()}\n" + "\n".join(ratios))


if __name__ == "__main__":
    main()
