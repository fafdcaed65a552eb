"""Measures the sweeper beside its peers, in turns, and says what came out.

    python experiments/peers/measure.py           everything; renews the README and its pictures
    python experiments/peers/measure.py --quick   three rows, once each

What is measured is kept in ``results.json`` (``quick.json``), from which `report.py` makes tables
and pictures again.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import ours
import peers
from floor import floors
from plan import (
    ALL_BLOCKS,
    DEPTH_EPOCHS,
    DEPTHS,
    MANY_EPOCHS,
    MANY_TRIALS,
    PEER_TRIALS,
    QUICK_SINGLE_EPOCHS,
    SINGLE_EPOCHS,
    SWEEPS,
)
from report import comparisons, publish, table
from results import Results
from runs import FOLDER, Run, peer_python, timed

Measurement = tuple[str, Callable[[Path], Run]]
"""A name, and what runs in a new folder."""


class Bench:
    """Runs measurements one after the other, and keeps their results in ``path``."""

    def __init__(self, work: Path, path: Path, quick: bool) -> None:
        self.shared = work / "shared"
        self.results = Results(runs={}, floor=[], machine={"quick": quick})
        self._work, self._path, self._count = work, path, 0
        self._began = time.perf_counter()

    def prepare(self) -> None:
        """Make what is not measured: the peers' environment, data and network."""
        peer_python()
        self._python("export.py", str(self.shared))
        self.results.machine.update(cores=os.cpu_count(), load_before=os.getloadavg()[0])
        # else the first to come would pay for files that are not in memory yet
        peers.plain(self._folder("warm up"), self.shared, [0], 1)
        self._began = time.perf_counter()

    def floor(self) -> None:
        """Measure the speed of the bare computation."""
        output = self._folder("floor") / "speed.json"
        self._python("speed.py", str(output))
        self.results.floor.append(json.loads(output.read_text()))

    def cache(self, row: str, seed: int) -> Path:
        """What ours keeps in the sweep of ``row`` with this seed."""
        return self._work / f"cache-{row}-{seed}"

    def in_turn(self, *measurements: Measurement) -> None:
        """Run one after the other."""
        for name, measure in measurements:
            run = measure(self._folder(name))
            self.results.runs.setdefault(name, []).append(run)
            best = max(fit.val_accuracy for fit in run.fits)
            minutes = (time.perf_counter() - self._began) / 60
            print(
                f"{minutes:5.1f} min  load {os.getloadavg()[0]:.1f}  {name}: "
                f"{run.seconds:.1f} s, {len(run.fits)} fits, best {best:.4f}",
                flush=True,
            )
            self.save()

    def save(self) -> None:
        """Write all that was measured so far."""
        minutes = (time.perf_counter() - self._began) / 60
        self.results.machine.update(load_after=os.getloadavg()[0], minutes=minutes)
        self._path.write_text(json.dumps(asdict(self.results), indent=1))

    def _folder(self, name: str) -> Path:
        self._count += 1
        folder = self._work / f"{self._count:02d}-{name.replace(' ', '-')}"
        folder.mkdir()
        return folder

    def _python(self, script: str, argument: str) -> None:
        self.shared.mkdir(exist_ok=True)
        timed([sys.executable, FOLDER / script, argument], self._folder(script), self.shared)


def sweep_turns(bench: Bench, row: str, trials: int) -> dict[str, Measurement]:
    """Ours with an empty cache, and so many ``trials`` of each peer; another seed each time."""
    plan = SWEEPS[row]

    def measurement(who: str, run: Callable[[Path, int], Run]) -> Measurement:
        name = f"{row} {who}"
        return name, lambda folder: run(folder, len(bench.results.runs.get(name, [])))

    shared = bench.shared
    return {
        "ours": measurement(
            "ours", lambda folder, seed: ours.sweep(plan, folder, bench.cache(row, seed), seed)
        ),
        "tutorial": measurement(
            "tutorial", lambda folder, seed: peers.tutorial(plan, trials, folder, shared, seed)
        ),
        "tuner": measurement(
            "tuner", lambda folder, seed: peers.tuner(plan, trials, folder, shared, seed)
        ),
    }


def single_turns(bench: Bench, epochs: int) -> list[Measurement]:
    """One fine-tune of everything, ours and plain."""
    return [
        ("single_uncached ours", lambda folder: ours.single(folder, folder / "cache", epochs)),
        (
            "single_uncached plain",
            lambda folder: peers.plain(folder, bench.shared, [ALL_BLOCKS], epochs),
        ),
    ]


def slot_turns(warm: Path) -> list[Measurement]:
    """The frozen sweep on a cache that has all it needs, in two slots and in one."""
    plan = SWEEPS["frozen_sweep"]
    return [
        ("warm", lambda folder: ours.sweep(plan, folder, warm, 0)),
        ("warm one slot", lambda folder: ours.sweep(plan, folder, warm, 0, slots=1)),
    ]


def quick(bench: Bench) -> None:
    """Three rows, each once, and one trial of the tutorial script in each sweep."""
    bench.in_turn(*single_turns(bench, QUICK_SINGLE_EPOCHS))
    for row in SWEEPS:
        turns = sweep_turns(bench, row, 1)
        bench.in_turn(turns["ours"], turns["tutorial"])


def everything(bench: Bench) -> None:
    """All rows, and the picture of depths; what is compared goes there and back."""
    # once: ten epochs average what is by chance
    bench.in_turn(*single_turns(bench, SINGLE_EPOCHS))
    frozen = sweep_turns(bench, "frozen_sweep", PEER_TRIALS)
    bench.in_turn(frozen["ours"], frozen["tutorial"], frozen["ours"])
    bench.floor()
    # what KerasTuner is compared in is the sweep of two phases
    both = sweep_turns(bench, "two_phase_sweep", PEER_TRIALS)
    bench.in_turn(both["ours"], both["tutorial"], both["tuner"], both["ours"])
    warm = bench.cache("frozen_sweep", 0)
    two_slots, one_slot = slot_turns(warm)
    bench.in_turn(two_slots, one_slot, two_slots)
    many = replace(SWEEPS["frozen_sweep"], trials=MANY_TRIALS, epochs=(MANY_EPOCHS, 0))
    bench.in_turn(
        ("make_sweep", lambda folder: ours.shipped_sweep(folder, folder / "cache")),
        ("many_trials", lambda folder: ours.sweep(many, folder, warm, 0)),
        ("depths ours", lambda folder: ours.depths(folder, warm)),
        ("depths plain", lambda f: peers.plain(f, bench.shared, DEPTHS, DEPTH_EPOCHS)),
    )


def main() -> None:
    """Measure, print tables and lines, and renew the README unless ``--quick``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three rows, once each")
    given: Any = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        work = Path(temporary)
        name = "quick.json" if given.quick else "results.json"
        bench = Bench(work, FOLDER / name, given.quick)
        bench.prepare()
        if given.quick:
            quick(bench)
        else:
            everything(bench)
        bench.save()
    results = bench.results
    print(f"\n{table(results)}\n")
    for comparison in comparisons(results):
        print(f"RATIO {comparison.name} {comparison.value:.3f}")
    for floor in floors(results):
        print(f"FLOOR {floor.name} {floor.seconds:.1f} s, measured {floor.times:.2f} times that")
    if not given.quick:
        publish(results)


if __name__ == "__main__":
    main()
