"""What a temperature, an ensemble and a soup gain over the winner, and what they cost.

    python experiments/after_the_sweep/measure.py [--dogs DIR] [--seeds 3]

For each data set and seed: a sweep, then all that `sweeper improve` makes of it. Prints the table
of README.md. DIR holds a prepared TFDS data set `stanford_dogs`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TRIALS = 8
DIGITS = (
    *("+experiment=digits_lite0", "image_size=64", f"hydra.sweeper.n_trials={TRIALS}"),
    *("phases.frozen.epochs=2", "phases.unfrozen.epochs=3", "freeze.unfreeze_blocks=3"),
)
DOGS = (
    *("+experiment=dogs_b0", "backbone=efficientnet_lite0", "image_size=64", "batch_size=32"),
    *("phases.frozen.epochs=6", "phases.unfrozen=null", f"hydra.sweeper.n_trials={TRIALS}"),
    *("~hydra.sweeper.params", "hydra/sweeper/sampler=tpe_short", "hydra.sweeper.patience=null"),
    "+hydra.sweeper.params={optimizer.learning_rate:'tag(log,interval(1e-3,1e-2))',"
    "head.dropout:'interval(0.1,0.5)'}",
)
FIGURES = ("accuracy", "log_loss", "expected_calibration_error")


def sweep(folder: Path, words: Sequence[str], seed: int) -> None:
    """Run the sweep of ``words`` in ``folder``."""
    command = [sys.executable, "-m", "sweeper", "-m", *words, "name=study"]
    command += [f"seed={seed}", f"hydra.sweeper.sampler.seed={seed}"]
    command += ["hydra/sweeper/pruner=nop"]
    with (folder / "sweep.log").open("w") as log:
        subprocess.run(command, cwd=folder, check=True, stdout=log, stderr=subprocess.STDOUT)


def offers(folder: Path) -> None:
    """Print what the study in ``folder`` gives, as JSON."""
    from sweeper.improve.members import team_of
    from sweeper.improve.offer import KINDS, Offers
    from sweeper.report.reader import StudyReader

    study = StudyReader(folder / "experiments" / "study")
    made = Offers(team_of(study), study.paths)
    found: dict[str, Any] = {}
    for kind in KINDS:
        offer = made.make(kind)
        if offer is None or offer.tested is None:
            found[kind] = None
            continue
        found[kind] = {
            "how": offer.made.how,
            "networks": offer.made.networks,
            "milliseconds": offer.milliseconds,
            "helps": offer.judged.comparison.wins,
            "before": {name: offer.tested.before[name].value for name in FIGURES},
            "after": {name: offer.tested.after[name].value for name in FIGURES},
            "low": offer.tested.comparison.log_loss.low,
            "high": offer.tested.comparison.log_loss.high,
        }
    print(json.dumps(found))


def row(name: str, seed: int, kind: str, offer: dict[str, Any] | None) -> str:
    """A line of the table."""
    if offer is None:
        return f"| {name} | {seed} | {kind} | none is as good where it is chosen |"
    before, after = offer["before"], offer["after"]
    cells = [f"{before[one]:.4f} -> {after[one]:.4f}" for one in FIGURES]
    was, now = offer["milliseconds"]
    interval = f"{offer['low']:+.4f} to {offer['high']:+.4f}"
    helps = "yes" if offer["helps"] else "no"
    shown = [name, seed, kind, offer["how"], *cells, interval, f"{was:.2f} -> {now:.2f}", helps]
    return "| " + " | ".join(str(cell) for cell in shown) + " |"


def main() -> None:
    """Measure, and print a line for each model that was made."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dogs", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", help="one of the data sets: digits, or drawn dogs")
    parser.add_argument("--study", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.study:
        offers(given.study)
        return
    data = {"digits": DIGITS}
    if given.dogs:
        data["drawn dogs"] = (*DOGS, f"dataset.data_dir={given.dogs.absolute()}")
    for name, words in data.items():
        if given.only not in (None, name):
            continue
        for seed in range(given.seeds):
            with tempfile.TemporaryDirectory() as folder:
                sweep(Path(folder), words, seed)
                command = [sys.executable, __file__, "--study", folder]
                ended = subprocess.run(command, check=True, capture_output=True, text=True)
            for kind, offer in json.loads(ended.stdout.splitlines()[-1]).items():
                print(row(name, seed, kind, offer), flush=True)


if __name__ == "__main__":
    main()
