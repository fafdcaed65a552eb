"""How good a model is: what training lowers and raises, and the same on other images."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from sweeper.data.batches import Batches
from sweeper.train import numerics


def build_loss(one_logit: bool) -> Any:
    """Loss for logits and targets ``[batch, classes]``, ``[batch, 1]`` for one logit."""
    if one_logit:
        return keras.losses.BinaryCrossentropy(from_logits=True)
    return keras.losses.CategoricalCrossentropy(from_logits=True)


def build_accuracy(one_logit: bool) -> Any:
    """Accuracy for the same; targets may lie between classes (smoothed, mixed).

    What counts is their largest share.
    """
    return keras.metrics.MeanMetricWrapper(_correct(one_logit), name="accuracy")


def _correct(one_logit: bool) -> Callable[[Any, Any], Any]:
    """Whether each image is told right, ``[batch]`` float32."""

    def same_side(targets: Any, logits: Any) -> Any:
        same = keras.ops.equal(targets[:, 0] > 0.5, logits[:, 0] > 0)
        return keras.ops.cast(same, "float32")

    return same_side if one_logit else keras.metrics.categorical_accuracy


_HELD_BYTES = 64 * 10**6


class Evaluation:
    """Evaluates ``model``, as its weights stand, on all of ``examples``.

    In place of Keras' ``evaluate``: where the model is a head on features, that and the start of a
    data set's iterator take fifteen times as long as the work. Few examples stay in memory.
    """

    def __init__(self, model: Any, examples: Batches, one_logit: bool) -> None:
        self._examples = examples
        self._held: list[Any] | None = None
        loss, correct = build_loss(one_logit), _correct(one_logit)

        def step(inputs: Any, targets: Any) -> tuple[Any, Any, Any]:
            logits = model(inputs, training=False)
            return loss(targets, logits), tf.reduce_mean(correct(targets, logits)), logits

        # one graph for batches of any size: the last one may be smaller
        signature = examples.dataset.element_spec
        self._step = tf.function(step, input_signature=signature, autograph=False)

    def __call__(self) -> tuple[dict[str, float], NDArray[np.float32]]:
        """``val_loss`` in nats and ``val_accuracy``, means over all images; and the logits.

        These are ``[n, units]``, in the order of the examples.
        """
        found = list(self._batches())
        images = [len(logits) for _, _, logits in found]
        losses, accuracies = np.array([batch[:2] for batch in found], np.float64).T
        metrics = {
            "val_loss": float(np.average(losses, weights=images)),
            "val_accuracy": float(np.average(accuracies, weights=images)),
        }
        return metrics, np.concatenate([logits.numpy() for _, _, logits in found])

    def first_loss(self) -> float:
        """Mean loss on the first batch."""
        return float(next(self._batches())[0])

    def _batches(self) -> Iterator[tuple[Any, Any, Any]]:
        source = self._held or numerics.prefetched(self._examples.dataset)
        seen: list[Any] = []
        for batch in source:
            if not seen:
                each = sum(one.dtype.size * math.prod(one.shape) for one in batch)
            if each * self._examples.steps <= _HELD_BYTES:
                seen.append(batch)
            yield self._step(*batch)
        if len(seen) == self._examples.steps:
            self._held = seen
