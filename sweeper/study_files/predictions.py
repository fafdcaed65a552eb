"""What a trial predicts for its validation images, in half precision: ``predictions.npz``."""

import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweeper.disk.files import open_aside

_HALF = np.finfo(np.float16)


@dataclass(frozen=True, eq=False)
class Predictions:
    """Of the weights that are kept; with folds, of each fold's own, one after the other.

    Attributes:
        ids: ``[n]`` text, which identifies each image in its source: the file's path below the
            folder of the data set, else the name of its record.
        labels: ``[n]`` int64, the true classes.
        fold: ``[n]`` int64, the fold whose weights these are; 0 without folds.
        probabilities: ``[n, classes]`` float16.
        logits: ``[n, classes]`` float16; where a head has one logit for two classes, the first is
            0. What half precision has no number for is its largest one.
        class_names: ``[classes]`` text.
    """

    ids: NDArray[np.str_]
    labels: NDArray[np.int64]
    fold: NDArray[np.int64]
    probabilities: NDArray[np.float16]
    logits: NDArray[np.float16]
    class_names: NDArray[np.str_]


def halved(values: NDArray[Any]) -> NDArray[np.float16]:
    """``values`` in half precision; finite numbers stay finite."""
    clipped = np.where(np.isfinite(values), np.clip(values, _HALF.min, _HALF.max), values)
    return clipped.astype(np.float16)


def save(path: Path, predictions: Predictions) -> None:
    """Write ``predictions`` aside, then rename it to ``path``."""
    arrays: dict[str, Any] = {
        one.name: getattr(predictions, one.name) for one in fields(Predictions)
    }
    with open_aside(path) as file:
        np.savez(file, **arrays)


def load(path: Path) -> Predictions | None:
    """What :func:`save` wrote, None where there is no such file or it cannot be read."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return Predictions(**{one.name: file[one.name] for one in fields(Predictions)})
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return None
