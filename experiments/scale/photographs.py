"""A folder data set of many small images, made of the photographs that two packages ship."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 64
PHOTOGRAPHS = {
    "sklearn": ("datasets/images", ["china.jpg", "flower.jpg"]),
    "skimage": (
        "data",
        ["astronaut.png", "chelsea.png", "coffee.png", "hubble_deep_field.jpg", "ihc.png"],
    ),
}


def make(folder: Path, count: int) -> None:
    """Write ``count`` JPEGs of 64 px below ``folder``: crops, flips and colour changes.

    Each photograph is a class, and has as many of them.
    """
    random = np.random.default_rng(count)
    photographs = list(_photographs())
    for name, _ in photographs:
        (folder / name).mkdir(parents=True)
    for number in range(count):
        name, photograph = photographs[number % len(photographs)]
        side = int(random.integers(SIDE, 4 * SIDE))
        left, top = (int(random.integers(0, length - side)) for length in photograph.size)
        box = (left, top, left + side, top + side)
        pixels = np.asarray(photograph.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box))
        pixels = pixels[:, :: random.choice([-1, 1])] * random.uniform(0.6, 1.2, 3)
        made = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        made.save(folder / name / f"{number:06d}.jpg", quality=85)


def _photographs() -> Iterator[tuple[str, Image.Image]]:
    for package, (place, names) in PHOTOGRAPHS.items():
        found = importlib.util.find_spec(package)
        if found is None or found.origin is None:
            sys.exit(f"{package} is not installed, whose photographs are needed; install it")
        for name in names:
            file = Path(found.origin).parent / place / name
            yield file.stem, Image.open(file).convert("RGB")
