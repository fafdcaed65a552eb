"""An exported file beside the original on the same images."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]

_TIMED = 20
"""Images of which each is timed alone; the first ones warm up."""
_WARM = 3


@dataclass(frozen=True)
class Checked:
    """What an exported file gives.

    Attributes:
        images: how many were compared.
        largest: difference of a probability.
        worst: the image that it is of.
        changed: images whose predicted class is another.
        megabytes: size of the file or folder, of 10**6 bytes.
        milliseconds: of one image alone on the CPU, the median.
    """

    images: int
    largest: float
    worst: str
    changed: int
    megabytes: float
    milliseconds: float


def check(
    run: Run,
    path: Path,
    images: NDArray[np.float32],
    ids: Sequence[str],
    original: NDArray[np.float32],
) -> Checked:
    """Run the file at ``path`` on ``images``, one by one, and compare.

    Args:
        run: what was read from the file.
        path: its size is measured.
        images: ``[n, side, side, 3]`` in [0, 255].
        ids: names of the images.
        original: ``[n, classes]``, what the original gives for them.
    """
    found = np.concatenate([run(image[np.newaxis]) for image in images])
    different = np.abs(found.astype(np.float64) - original).max(axis=1)
    different = np.where(np.isfinite(different), different, np.inf)
    worst = int(different.argmax())
    changed = int((found.argmax(axis=1) != original.argmax(axis=1)).sum())
    seconds = []
    for image in images[: _WARM + _TIMED]:
        began = time.perf_counter()
        run(image[np.newaxis])
        seconds.append(time.perf_counter() - began)
    return Checked(
        len(images),
        float(different[worst]),
        ids[worst],
        changed,
        _size(path) / 1e6,
        1e3 * statistics.median(seconds[_WARM:] or seconds),
    )


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
