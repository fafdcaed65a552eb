"""What a sweep computes again when a few images of its data set were relabelled or added.

    python experiments/relabelled/measure.py [--images 2000] [--image-size 128] [--only none]

Makes a folder of crops of scikit-learn's two photographs, computes what all trials of a sweep share
(EfficientNet-Lite0, head and top blocks), gives 2 % of the images another label, adds 2 % new ones,
and computes again: with the cache as it is, and with an empty one. Prints the table of README.md.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CHANGED = 0.02
CLASSES = 10
SHARES = {"train": 0.7, "validation": 0.15, "test": 0.15}
Random = np.random.Generator


def crops(random: Random) -> Iterator[tuple[int, Image.Image]]:
    """Endless parts of two photographs; their class says of which, and of which fifth of it."""
    from sklearn.datasets import load_sample_images

    photographs = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    while True:
        which, side = int(random.integers(2)), int(random.integers(120, 220))
        photograph = photographs[which]
        left = int(random.integers(photograph.width - side))
        top = int(random.integers(photograph.height - side))
        fifth = 5 * left // (photograph.width - side)
        crop = photograph.crop((left, top, left + side, top + side))
        yield which * 5 + fifth, crop.rotate(float(random.uniform(-5, 5)), Image.Resampling.BICUBIC)


def write(folder: Path, count: int, first: int, layout: str, random: Random) -> None:
    """Add ``count`` images, numbered from ``first``; ``given`` has a folder for each split."""
    splits = random.choice(list(SHARES), count, p=list(SHARES.values()))
    for number, (split, (label, image)) in enumerate(zip(splits, crops(random), strict=False)):
        above = folder / split if layout == "given" else folder
        file = above / f"class_{label}" / f"{first + number:05d}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        image.save(file, quality=92)


def relabel(folder: Path, count: int, random: Random) -> None:
    """Move ``count`` images to the folder of another class."""
    files = sorted(folder.rglob("*.jpg"))
    for place in random.choice(len(files), count, replace=False):
        file = files[place]
        others = sorted(other for other in file.parent.parent.iterdir() if other != file.parent)
        file.rename(others[random.integers(len(others))] / file.name)


def computed(data: Path, cache: Path, given: argparse.Namespace, augment: str) -> dict[str, Any]:
    """What :func:`shared` prints, in a process of its own."""
    command = [sys.executable, __file__, "--shared", str(data), "--augment", augment]
    command += ["--image-size", str(given.image_size)]
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "TF_CPP_MIN_LOG_LEVEL": "3"}
    ended = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


def shared(data: Path, augment: str, image_size: int) -> None:
    """Compute what all trials share, and print how much that was."""
    from hydra import compose, initialize_config_dir

    from sweeper.paths import conf_dir
    from sweeper.train.prebuild import DECODING, prebuild
    from sweeper.validation import parse

    overrides = ["dataset=folder", f"dataset.path={data}", f"augment={augment}"]
    overrides += [f"image_size={image_size}", "backbone=efficientnet_lite0"]
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        recipe = parse(compose("config", overrides=overrides))
    decoded = 0

    def on_advance(work: str, done: int, _total: int) -> None:
        nonlocal decoded
        decoded = done if work == DECODING else decoded

    began, processor = time.perf_counter(), time.process_time()
    made = prebuild([recipe], on_advance)
    found = {"seconds": time.perf_counter() - began, "decoded": decoded}
    found["processor"] = time.process_time() - processor
    found |= {"computed": made.computed, "reused": made.reused, "features": made.seconds}
    print(json.dumps(found))


def line(name: str, found: dict[str, Any]) -> str:
    """A row of the table."""
    cells = [f"{found[key]:,}" for key in ("decoded", "computed", "reused")]
    cells += [f"{found[key]:.1f}" for key in ("features", "seconds", "processor")]
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Measure, and print three lines for each augmentation and layout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--only", help="an augmentation")
    parser.add_argument("--shared", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--augment", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.shared:
        shared(given.shared, given.augment, given.image_size)
        return
    changed = round(CHANGED * given.images)
    for augment in ("none", "photo", "strong"):
        for layout in ("given", "drawn"):
            if given.only not in (None, augment):
                continue
            random = np.random.default_rng(0)
            with tempfile.TemporaryDirectory() as folder:
                data, cache = Path(folder, "data"), Path(folder, "cache")
                write(data, given.images, 0, layout, random)
                name = f"{augment}, {layout}"
                print(line(f"{name}: first", computed(data, cache, given, augment)), flush=True)
                relabel(data, changed, random)
                write(data, changed, given.images, layout, random)
                print(line(f"{name}: changed", computed(data, cache, given, augment)), flush=True)
                empty = Path(folder, "empty")
                print(line(f"{name}: cleared", computed(data, empty, given, augment)), flush=True)


if __name__ == "__main__":
    main()
