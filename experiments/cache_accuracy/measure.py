"""Accuracy with fixed views against fresh augmentation, one sweep over views and seeds a data set.

``python measure.py digits`` and ``python measure.py dogs FOLDER``, where FOLDER is a prepared TFDS
``stanford_dogs``. Then ``python measure.py table`` prints the table and draws the picture.
"""

import argparse
import csv
import math
import os
import statistics
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")

from matplotlib import pyplot as plt

HERE = Path(__file__).parent
WORK = HERE / "runs"
VIEWS = (0, 1, 2, 4, 8)
SEEDS = (0, 1, 2, 3, 4)

_GRID = (
    "hydra/sweeper/sampler=grid",
    # 1 view first builds what 2, 4 and 8 begin with
    f"cache.views={','.join(map(str, VIEWS))}",
    f"seed={','.join(map(str, SEEDS))}",
    "image_size=96",
    "batch_size=32",
    "optimizer.learning_rate=5e-3",
    "freeze.unfreeze_blocks=3",
    "phases.frozen.epochs=8",
    "phases.unfrozen.epochs=8",
    "phases.unfrozen.learning_rate=5e-4",
    "hydra.sweeper.n_trials=null",
)
_DATA = {
    "digits": ("dataset=digits", "augment=digits"),
    "dogs": ("dataset=stanford_dogs", "augment=photo"),
}


def sweep(data: str, more: list[str]) -> None:
    """Run the grid of one data set; what an earlier run finished is not run again."""
    folder = WORK / data
    folder.mkdir(parents=True, exist_ok=True)
    overrides = [*_GRID, *_DATA[data], f"name={data}", *more]
    environment = {**os.environ, "XDG_CACHE_HOME": str(WORK / "cache")}
    command = [sys.executable, "-m", "sweeper", "-m", *overrides]
    subprocess.run(command, cwd=folder, env=environment, check=True)


def accuracies(data: str) -> dict[int, list[float]]:
    """Best validation accuracy for each seed, in the order of ``SEEDS``, by the number of views."""
    table = WORK / data / "experiments" / data / "leaderboard.csv"
    found: dict[int, dict[int, float]] = defaultdict(dict)
    with table.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found[int(row["cache.views"])][int(row["seed"])] = float(row["value"])
    return {views: [found[views][seed] for seed in SEEDS] for views in VIEWS}


def show() -> None:
    """Print the table of all data sets that have been measured, and draw it."""
    measured = {data: accuracies(data) for data in _DATA if (WORK / data).exists()}
    print("| data | views | mean | smallest to largest | points below fresh, of the same seed |")
    print("|---|---|---|---|---|")
    figure, charts = plt.subplots(
        1, len(measured), figsize=(5 * len(measured), 4), layout="constrained", squeeze=False
    )
    for chart, (data, found) in zip(charts[0], measured.items(), strict=True):
        for place, views in enumerate(VIEWS):
            values = found[views]
            mean = statistics.mean(values)
            name = "fresh" if views == 0 else str(views)
            spread = f"{min(values):.3f} to {max(values):.3f}"
            below = [100 * (fresh - value) for fresh, value in zip(found[0], values, strict=True)]
            error = statistics.stdev(below) / math.sqrt(len(below))
            lost = f"{statistics.mean(below):+.1f} ± {error:.1f}" if views else ""
            print(f"| {data} | {name} | {mean:.4f} | {spread} | {lost} |")
            chart.plot([place] * len(values), values, "o", color="tab:blue", alpha=0.6)
            chart.plot([place - 0.25, place + 0.25], [mean, mean], color="tab:orange", linewidth=2)
        chart.set_xticks(range(len(VIEWS)), ["fresh", *map(str, VIEWS[1:])])
        chart.set(title=data, xlabel="views of each image", ylabel="best validation accuracy")
        chart.grid(axis="y", alpha=0.3)
    figure.savefig(HERE / "accuracy.png", dpi=110)


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=[*_DATA, "table"])
    parser.add_argument("folder", nargs="?", help="of prepared TFDS data, for dogs")
    arguments = parser.parse_args()
    if arguments.what == "table":
        show()
    else:
        folder = arguments.folder and str(Path(arguments.folder).resolve())
        sweep(arguments.what, [f"dataset.data_dir={folder}"] if folder else [])


if __name__ == "__main__":
    main()
