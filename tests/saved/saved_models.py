"""Small classifiers in files, made in a second."""

from pathlib import Path
from typing import Any

import keras

from sweeper.saved.card import Card, write_card

SIDE = 16
NAMES = ("ant", "bee", "cat & dog")


def network(classes: int = len(NAMES), seed: int = 0) -> keras.Model:
    """Another answer for another image, as raw values in [0, 255] give it."""
    keras.utils.set_random_seed(seed)
    images = keras.Input((SIDE, SIDE, 3), dtype="float32", name="image")
    x = keras.layers.Conv2D(4, 3, activation="relu")(keras.layers.Rescaling(1 / 127.5, -1)(images))
    x = keras.layers.Dense(classes)(keras.layers.Flatten()(x))
    return keras.Model(images, keras.layers.Softmax()(x), name="classifier")


def card(**changes: Any) -> Card:
    return Card(**{"class_names": NAMES, "image_size": SIDE, "max_pixels": 10**6} | changes)


def saved(path: Path, model: keras.Model | None = None, of: Card | None = None) -> Path:
    """The file of a classifier."""
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = path.with_name("plain.keras")
    (model or network()).save(plain)
    write_card(plain, of or card(), path)
    plain.unlink()
    return path
