"""One phase: compile, fit, and say after each epoch how it went."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras

from sweeper.config import Phase, Recipe
from sweeper.data.batches import Batches
from sweeper.train.optimizers import build_optimizer


@dataclass(frozen=True)
class Epoch:
    """One epoch as it ended; ``step`` counts on across the phases, ``first`` within its phase."""

    step: int
    phase: str
    first: bool
    metrics: Mapping[str, float]


OnEpoch = Callable[[Epoch], None]
"""Hears each epoch; what it raises ends the training."""


def losses(one_logit: bool) -> tuple[Any, Any]:
    """Loss and accuracy for logits `[batch, classes]`, or `[batch, 1]` with ``one_logit``."""
    if one_logit:
        return (
            keras.losses.BinaryCrossentropy(from_logits=True),
            keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0),
        )
    return (
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        keras.metrics.SparseCategoricalAccuracy(name="accuracy"),
    )


def initial_loss(model: Any, validation: Batches, one_logit: bool) -> float:
    """Mean loss of an untrained ``model`` on the first validation batch."""
    images, labels = next(iter(validation.dataset))
    loss, _ = losses(one_logit)
    return float(loss(labels, model(images, training=False)))


def run_phase(
    model: Any,
    name: str,
    phase: Phase,
    recipe: Recipe,
    train: Batches,
    validation: Batches,
    first_step: int,
    on_epoch: OnEpoch,
) -> None:
    """Train ``model`` for ``phase.epochs`` epochs, numbered from ``first_step``.

    Compiling here is what makes a change of ``trainable`` count (Keras 3 fixes it at compile).
    """
    loss, accuracy = losses(recipe.head.one_logit)
    model.compile(
        optimizer=build_optimizer(
            recipe.optimizer, recipe.schedule, phase.learning_rate, train.steps, phase.epochs
        ),
        loss=loss,
        metrics=[accuracy],
    )
    model.fit(
        train.dataset,
        validation_data=validation.dataset,
        epochs=phase.epochs,
        callbacks=[_EpochReporter(name, train.images, first_step, on_epoch)],
        shuffle=False,  # the data set shuffles itself
        verbose=0,
    )


class _EpochReporter(keras.callbacks.Callback):
    """Times each epoch and passes its metrics on."""

    def __init__(self, phase: str, images: int, first_step: int, on_epoch: OnEpoch) -> None:
        super().__init__()
        self._phase = phase
        self._images = images
        self._first_step = first_step
        self._on_epoch = on_epoch
        self._began = 0.0
        self._trained = 0.0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        self._began = time.monotonic()

    def on_test_begin(self, logs: Mapping[str, float] | None = None) -> None:
        self._trained = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        now = time.monotonic()
        metrics = {key: float(value) for key, value in (logs or {}).items()}
        metrics |= {
            "learning_rate": float(self.model.optimizer.learning_rate),
            "epoch_seconds": now - self._began,
            "images_per_second": self._images / (self._trained - self._began),
            "phase": 0.0 if self._phase == "frozen" else 1.0,
        }
        self._on_epoch(Epoch(self._first_step + epoch, self._phase, epoch == 0, metrics))
