"""The test of a winner: the one time that anything looks at the test images."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from sweeper.data.batches import Batches
from sweeper.data.examples import Examples
from sweeper.data.images import OnImages, no_callback
from sweeper.statistics.intervals import of_share
from sweeper.study_files.predictions import Predictions, halved

Predict = Callable[[tf.Tensor], tf.Tensor]
"""Images to probabilities."""


def final_test(
    predict: Predict,
    images: Batches,
    examples: Examples,
    names: Sequence[str],
    on_images: OnImages = no_callback,
) -> tuple[dict[str, float], Predictions]:
    """What :func:`evaluate` gives, and what ``predict`` says of each of ``examples``.

    Args:
        predict: the model.
        images: ``examples`` in batches, in their order.
        examples: the test images.
        names: of the classes.
        on_images: called after each batch.
    """
    probabilities = probabilities_of(predict, images, on_images)
    return _metrics(probabilities, images.labels), _predictions(probabilities, examples, names)


def evaluate(predict: Predict, examples: Batches) -> dict[str, float]:
    """Cross-entropy and accuracy of ``predict`` (images to probabilities) on all ``examples``.

    Returns:
        ``test_loss`` in nats, ``test_accuracy``, ``test_images``, and ``test_accuracy_low`` and
        ``test_accuracy_high``, the 95 % interval of the accuracy on new images of the same kind.
    """
    return _metrics(probabilities_of(predict, examples), examples.labels)


def _metrics(probabilities: NDArray[np.float32], truth: NDArray[np.int64]) -> dict[str, float]:
    loss, right = judge(probabilities, truth)
    correct, images = int(right.sum()), len(right)
    low, high = of_share(correct, images)
    return {
        "test_loss": loss,
        "test_accuracy": correct / images,
        "test_accuracy_low": low,
        "test_accuracy_high": high,
        "test_images": float(images),
    }


def _predictions(
    probabilities: NDArray[np.float32], examples: Examples, names: Sequence[str]
) -> Predictions:
    logits = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))
    return Predictions(
        np.array([examples.identify(int(place)) for place in examples.indices]),
        examples.labels,
        np.zeros(len(examples), np.int64),
        halved(probabilities),
        halved(logits),
        np.array(names),
    )


def probabilities_of(
    predict: Predict, examples: Batches, on_images: OnImages = no_callback
) -> NDArray[np.float32]:
    """``[n, classes]``, what ``predict`` gives for all ``examples``, in their order."""
    found, done = [], 0
    for images, _ in examples.dataset:
        found.append(predict(images).numpy())
        done += len(found[-1])
        on_images(done, examples.images)
    return np.concatenate(found)


def judge(
    probabilities: NDArray[np.float32], truth: NDArray[np.int64]
) -> tuple[float, NDArray[np.bool_]]:
    """Mean cross-entropy in nats, and ``[n]`` whether each image was classified correctly."""
    of_truth = probabilities[np.arange(len(truth)), truth]
    loss = -np.log(np.maximum(of_truth, np.finfo(np.float32).tiny)).mean()
    return float(loss), probabilities.argmax(axis=1) == truth
