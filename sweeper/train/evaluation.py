"""How good a model is: what training lowers and raises, and the same on other images."""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy.special import log_softmax

from sweeper.config import Recipe
from sweeper.data.batches import Batches, batches
from sweeper.data.examples import Examples
from sweeper.data.images import OnImages, no_callback
from sweeper.data.targets import Targets
from sweeper.train.runtime import numerics


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
    """Whether each image is classified right, ``[batch]`` float32."""

    def same_side(targets: Any, logits: Any) -> Any:
        same = keras.ops.equal(targets[:, 0] > 0.5, logits[:, 0] > 0)
        return keras.ops.cast(same, "float32")

    return same_side if one_logit else keras.metrics.categorical_accuracy


_UNTRAINED_IMAGES = 64
"""How many training images, at least, :func:`before_training` takes where there are as many."""


def before_training(model: Any, batches: Iterable[Any], one_logit: bool) -> tuple[float, float]:
    """Loss in nats and accuracy of ``model`` as its first training steps will see them.

    That is on the first of its training ``batches``, in training mode: BatchNormalization that
    trains uses the statistics of the batch. Its moving statistics still stand at mean 0 and
    variance 1, and with them the loss of a fresh head measures how large the features are, not
    whether the network can learn. Nothing of the model is changed.
    """
    loss, correct = build_loss(one_logit), _correct(one_logit)
    before = [variable.numpy() for variable in model.changing]
    found: list[tuple[float, float, int]] = []
    for inputs, targets in batches:
        logits = model(inputs, training=True)
        right = tf.reduce_mean(correct(targets, logits))
        found.append((float(loss(targets, logits)), float(right), len(logits)))
        if sum(images for _, _, images in found) >= _UNTRAINED_IMAGES:
            break
    for variable, value in zip(model.changing, before, strict=True):
        variable.assign(value)
    losses, accuracies, images = np.array(found, np.float64).T
    return (
        float(np.average(losses, weights=images)),
        float(np.average(accuracies, weights=images)),
    )


def edge(
    logits: NDArray[np.float32], labels: NDArray[np.int64], training_labels: NDArray[np.int64]
) -> float:
    """By how many standard errors predictions are better than a guess that sees no image.

    The larger of two: by how much the accuracy is higher than that of always naming the class that
    is largest in training; and by how much the true class is more probable for its own image than
    for the others, in nats. The second holds for networks that are too sure of themselves, and for
    weighted classes. It counts where it is worth :data:`_LEAST_GAIN` of an even guess's loss.

    Args:
        logits: ``[n, units]`` of images; one unit stands for two classes.
        labels: ``[n]``, their classes.
        training_labels: ``[m]``, the classes of the training images.

    Returns:
        About 0, or less, for a guess; nan where logits are no numbers.
    """
    if not np.isfinite(logits).all():
        return math.nan
    if logits.shape[1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    count, classes = logits.shape
    likely = log_softmax(logits.astype(np.float64), axis=1)
    gained = likely[np.arange(count), labels] - likely.mean(axis=0)[labels]
    gain = float(gained.mean())
    by_loss = 0.0
    if gain > _LEAST_GAIN * math.log(classes):
        by_loss = gain / max(float(gained.std()), gain / count) * math.sqrt(count)
    largest = np.bincount(training_labels, minlength=classes).argmax()
    chance = float(np.mean(labels == largest))
    right = float(np.mean(logits.argmax(axis=1) == labels))
    spread = math.sqrt(max(chance * (1 - chance), 1 / count) / count)
    return max(by_loss, (right - chance) / spread)


_LEAST_GAIN = 0.02
"""Part of ln(classes) below which a difference between images is noise of a dead network."""

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

    def __call__(
        self, on_images: OnImages = no_callback
    ) -> tuple[dict[str, float], NDArray[np.float32]]:
        """``val_loss`` in nats and ``val_accuracy``, means over all images; and the logits.

        These are ``[n, units]``, in the order of the examples. ``on_images`` is called after each
        batch.
        """
        found, done = list[tuple[Any, Any, Any]](), 0
        for batch in self._batches():
            found.append(batch)
            done += len(batch[2])
            on_images(done, self._examples.images)
        images = [len(logits) for _, _, logits in found]
        losses, accuracies = np.array([batch[:2] for batch in found], np.float64).T
        metrics = {
            "val_loss": float(np.average(losses, weights=images)),
            "val_accuracy": float(np.average(accuracies, weights=images)),
        }
        return metrics, np.concatenate([logits.numpy() for _, _, logits in found])

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


def evaluation_batches(examples: Examples, recipe: Recipe, n_classes: int) -> Batches:
    """Batches in their order, as they are, with plain targets."""
    targets = Targets(n_classes, recipe.head.one_logit)
    return batches(
        examples,
        recipe.image_size,
        recipe.batch_size,
        target=targets,
        shuffle_seed=None,
    )
