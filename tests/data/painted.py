"""A small data set of tensorflow-datasets, prepared as a real one is, and recipes for it."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from sweeper.config import Tfds

CLASSES = ["ant", "bee", "cat"]
SIZES = {"train": 30, "test": 9}


def recipe(data_dir: Path | None, **changes: Any) -> Tfds:
    settings: dict[str, Any] = {
        "source": "tfds",
        "name": "painted",
        "data_dir": data_dir,
        "train_split": "train",
        "test_split": "test",
        "image_key": "image",
        "label_key": "label",
        "validation_fraction": 0.2,
        "test_fraction": 0.2,
        "split_seed": 0,
        "on_corrupt": "error",
    }
    return Tfds(**settings | changes)


def painted(split: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Pictures that tell their own number (red) and label (green)."""
    for number in range(SIZES[split]):
        label = number % len(CLASSES)
        png = io.BytesIO()
        Image.new("RGB", (8 + number, 6), (number, label, 0)).save(png, "PNG")
        png.seek(0)
        yield (
            f"{split}{number}",
            {
                "image": png,
                "label": label,
                "name": f"{number}",
                "depth": np.zeros((2, 2, 1), np.uint16),
            },
        )


FEATURES = {
    "image": tfds.features.Image,
    "label": lambda: tfds.features.ClassLabel(names=CLASSES),
    "name": tfds.features.Text,
    "depth": lambda: tfds.features.Image(shape=(2, 2, 1), dtype=np.uint16),
}


def prepared(folder: Path) -> Path:
    """The data set ``painted`` in ``folder``."""
    tfds.dataset_builders.store_as_tfds_dataset(
        name="painted",
        version="1.2.3",
        features=tfds.features.FeaturesDict({key: make() for key, make in FEATURES.items()}),
        data_dir=folder,
        split_datasets={split: painted(split) for split in SIZES},
    )
    return folder
