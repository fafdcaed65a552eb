"""How many planted faults the data doctor finds, and how many it reports that are none.

    pip install scikit-image  # its package has photographs
    python experiments/data_doctor/measure.py [--dogs DIR] [--seeds 3] [--only photographs]

Of each data set 3 % of the labels are made wrong, and 2 % of the images are copied from train into
test: half as the same bytes, half resized by 0.7 and saved as JPEG of quality 70. Prints the table
of README.md. DIR holds a prepared TFDS data set `stanford_dogs`, of
18 images of each class in the table; fewer than four are not enough for a test of each class.
"""

import argparse
import io
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

WRONG, COPIED, LIST = 0.03, 0.02, 0.06
TILE = 96
SIZES = {"digits": 64, "photographs": 96, "drawn dogs": 224}
Random = np.random.Generator


def digits() -> Iterator[tuple[str, bytes]]:
    """scikit-learn's digits, 8 x 8 pixels."""
    from sklearn.datasets import load_digits

    data = load_digits()
    for image, label in zip(data.images, data.target, strict=True):
        yield str(label), encoded(Image.fromarray((image * (255 / 16)).astype(np.uint8)))


def photographs() -> Iterator[tuple[str, bytes]]:
    """Tiles of photographs; each photograph is a class, and no two tiles overlap."""
    from skimage import data
    from sklearn.datasets import load_sample_images

    names = ("astronaut", "brick", "camera", "chelsea", "coffee", "grass", "gravel")
    names += ("hubble_deep_field", "immunohistochemistry", "rocket")
    whole = {name: getattr(data, name)() for name in names}
    whole |= dict(zip(("china", "flower"), load_sample_images().images, strict=True))
    for name, pixels in whole.items():
        image = Image.fromarray(pixels).convert("RGB")
        for top in range(0, image.height - TILE + 1, TILE):
            for left in range(0, image.width - TILE + 1, TILE):
                yield name, encoded(image.crop((left, top, left + TILE, top + TILE)))


def dogs(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Train and test of a prepared data set, as its files were."""
    import tensorflow_datasets as tfds

    builder = tfds.builder("stanford_dogs", data_dir=folder)
    names = builder.info.features["label"].names
    plain = {"image": tfds.decode.SkipDecoding()}
    for record in tfds.as_numpy(builder.as_dataset(split="train+test", decoders=plain)):
        yield names[record["label"]], record["image"]


def encoded(image: Image.Image) -> bytes:
    """``image`` as PNG."""
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


def altered(file: Path) -> bytes:
    """The image resized by 0.7, as JPEG of quality 70."""
    image = Image.open(file).convert("RGB")
    size = tuple(max(1, round(0.7 * side)) for side in image.size)
    content = io.BytesIO()
    image.resize(size, Image.Resampling.BICUBIC).save(content, "JPEG", quality=70)
    return content.getvalue()


@dataclass(frozen=True)
class Planted:
    """Files whose labels are wrong, and pairs of train and test by kind."""

    wrong: frozenset[str]
    exact: frozenset[frozenset[str]]
    near: frozenset[frozenset[str]]


def plant(images: list[tuple[str, bytes]], folder: Path, random: Random) -> Planted:
    """Write ``images`` below ``folder`` as train/CLASS and test/CLASS with faults among them."""
    classes = sorted({label for label, _ in images})
    order = random.permutation(len(images))
    wrong = set(order[: round(WRONG * len(images))].tolist())
    test = set()
    for label in classes:
        of_class = random.permutation([n for n, (one, _) in enumerate(images) if one == label])
        test |= set(of_class[: max(1, len(of_class) // 4)].tolist())
    files: dict[int, Path] = {}
    for number, (label, content) in enumerate(images):
        others = [name for name in classes if name != label]
        given = others[random.integers(len(others))] if number in wrong else label
        suffix = ".jpg" if content[:2] == b"\xff\xd8" else ".png"
        split = "test" if number in test else "train"
        files[number] = folder / split / given / f"{number:05d}{suffix}"
        files[number].parent.mkdir(parents=True, exist_ok=True)
        files[number].write_bytes(content)
    sound = [n for n in order.tolist() if n not in test and n not in wrong]
    chosen = sound[: round(COPIED * len(images))]
    pairs: list[set[frozenset[str]]] = [set(), set()]
    for place, number in enumerate(chosen):
        file, near = files[number], place % 2
        copy = (
            folder / "test" / file.parent.name / f"copy_{number}{'.jpg' if near else file.suffix}"
        )
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(altered(file) if near else file.read_bytes())
        pairs[near].add(frozenset(named(folder, one) for one in (file, copy)))
    wrong_files = frozenset(named(folder, files[number]) for number in wrong)
    return Planted(wrong_files, frozenset(pairs[0]), frozenset(pairs[1]))


def named(folder: Path, file: Path) -> str:
    """As the report names a file."""
    return str(file.relative_to(folder))


def report(data: Path, out: Path, image_size: int) -> tuple[dict[str, Any], float]:
    """What the data doctor finds, and its seconds."""
    command = [sys.executable, "-m", "sweeper", "data", "dataset=folder", f"dataset.path={data}"]
    command += ["backbone=efficientnet_lite0", f"image_size={image_size}", f"--out={out}"]
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return json.loads((out / "data.json").read_text(encoding="utf-8")), time.monotonic() - began


def row(name: str, seed: int, planted: Planted, found: dict[str, Any], seconds: float) -> str:
    """A line of the table."""
    labels = found["labels"]
    ranked = [one["image"] for one in labels["ranked"]]
    first = set(ranked[: round(LIST * len(ranked))])
    said = {one["image"] for one in labels["ranked"] if one["likely_wrong"]}
    pairs = {frozenset(one["images"]): one["kind"] for one in found["duplicates"]["pairs"]}
    copies = planted.exact | planted.near
    extra = [kind for pair, kind in pairs.items() if pair not in copies]
    cells = [
        f"{found['images']:,}",
        f"{labels['heads_accuracy']:.2f}",
        share(len(first & planted.wrong), len(planted.wrong)),
        f"{len(said)}, {len(said & planted.wrong)} planted",
        share(sum(pair in pairs for pair in planted.exact), len(planted.exact)),
        share(sum(pair in pairs for pair in planted.near), len(planted.near)),
        f"{len(extra)} ({extra.count('cropped')} cropped)",
        f"{seconds:.0f}",
    ]
    return f"| {name} | {seed} | {' | '.join(cells)} |"


def share(count: int, total: int) -> str:
    """``9 of 10 (90 %)``."""
    return f"{count} of {total} ({100 * count / total:.0f} %)"


def main() -> None:
    """Measure, and print a line for each data set and seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dogs", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=SIZES)
    given = parser.parse_args()
    for name, image_size in SIZES.items():
        if given.only not in (None, name) or (name == "drawn dogs" and given.dogs is None):
            continue
        match name:
            case "digits":
                images = list(digits())
            case "photographs":
                images = list(photographs())
            case _:
                images = list(dogs(given.dogs))
        for seed in range(given.seeds):
            with tempfile.TemporaryDirectory() as folder:
                data = Path(folder, "data")
                planted = plant(images, data, np.random.default_rng(seed))
                found, seconds = report(data, Path(folder, "out"), image_size)
                shutil.rmtree(data)
            print(row(name, seed, planted, found, seconds), flush=True)


if __name__ == "__main__":
    main()
