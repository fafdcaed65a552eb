"""The objective that all peers search, written as keras.io's guides to transfer learning write it.

Data, network, augmentation and optimizer are those of the sweeper's own runs: `export.py` wrote the
same split and the same pretrained network into the folder that every function here reads.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

IMAGE_SIZE = 96
BATCH_SIZE = 32
CLASSES = 10


@dataclass(frozen=True)
class Settings:
    """What a trial is; no epochs skip a phase, ``unfreeze_blocks`` counts from the top."""

    learning_rate: float
    dropout: float
    frozen_epochs: int
    unfrozen_epochs: int
    unfrozen_learning_rate: float
    unfreeze_blocks: int


class EpochSeconds(keras.callbacks.Callback):
    """Seconds of each epoch, validation included."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seconds.append(time.perf_counter() - self._began)


def load_data(folder: Path) -> tuple[tf.data.Dataset, tf.data.Dataset]:
    """Training batches, augmented anew in each epoch, and validation batches."""
    arrays = np.load(folder / "digits.npz")
    augmentation = keras.Sequential(
        [
            keras.layers.RandomRotation(0.03),
            keras.layers.RandomTranslation(0.05, 0.05),
            keras.layers.RandomZoom(0.1),
        ]
    )

    def images(part: str) -> tf.data.Dataset:
        resized = tf.image.resize(arrays[f"{part}_images"], (IMAGE_SIZE, IMAGE_SIZE))
        return tf.data.Dataset.from_tensor_slices((resized, arrays[f"{part}_labels"]))

    train = images("train").shuffle(len(arrays["train_labels"])).batch(BATCH_SIZE)
    train = train.map(
        lambda x, y: (augmentation(x, training=True), y), num_parallel_calls=tf.data.AUTOTUNE
    )
    validation = images("validation").batch(BATCH_SIZE)
    return train.prefetch(tf.data.AUTOTUNE), validation.prefetch(tf.data.AUTOTUNE)


def build_model(folder: Path, dropout: float) -> tuple[keras.Model, keras.Model]:
    """The network to train, frozen but for its head, and the pretrained base in it."""
    base = keras.models.load_model(folder / "lite0.keras", compile=False)
    base.trainable = False
    inputs = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3))
    x = base(inputs, training=False)
    x = keras.layers.GlobalAveragePooling2D()(x)
    # the momentum of the sweeper's head: with Keras' 0.99 validation lags behind for 400 steps
    x = keras.layers.BatchNormalization(momentum=0.9)(x)
    x = keras.layers.Dropout(dropout)(x)
    return keras.Model(inputs, keras.layers.Dense(CLASSES)(x)), base


def unfreeze(folder: Path, base: keras.Model, blocks: int) -> None:
    """Let the top ``blocks`` blocks of ``base`` train, their BatchNormalization excepted."""
    layers = json.loads((folder / "layers.json").read_text())[blocks]
    base.trainable = True
    for index, layer in enumerate(base.layers):
        norm = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = index >= len(base.layers) - layers and not norm


def compile_model(model: keras.Model, learning_rate: float) -> None:
    """As the guides do: Adam, cross-entropy of logits, accuracy."""
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )


def fit_both(
    folder: Path,
    settings: Settings,
    model: keras.Model,
    base: keras.Model,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> float:
    """Train both phases; the best validation accuracy of the last one, as ours is judged."""
    train, validation = load_data(folder)
    history: Any = None
    if settings.frozen_epochs:
        compile_model(model, settings.learning_rate)
        history = model.fit(
            train,
            validation_data=validation,
            epochs=settings.frozen_epochs,
            callbacks=list(callbacks),
            verbose=2,
        )
    if settings.unfrozen_epochs:
        unfreeze(folder, base, settings.unfreeze_blocks)
        compile_model(model, settings.unfrozen_learning_rate)
        history = model.fit(
            train,
            validation_data=validation,
            epochs=settings.unfrozen_epochs,
            callbacks=list(callbacks),
            verbose=2,
        )
    return float(max(history.history["val_accuracy"]))


def record(seconds: float, val_accuracy: float, epoch_seconds: Sequence[float] = ()) -> None:
    """Append a trial to ``trials.jsonl`` of the working directory, which `peers.py` reads."""
    line = {
        "seconds": seconds,
        "val_accuracy": val_accuracy,
        "epoch_seconds": list(epoch_seconds),
    }
    with Path("trials.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
