"""What a trained model costs to use."""

import statistics
import time
from typing import Any

import tensorflow as tf

from sweeper.data.batches import Batches

_REPEATS = 9


def count_parameters(model: Any) -> int:
    """Numbers in all weights of ``model``, frozen ones and statistics included."""
    return int(model.count_params())


def milliseconds_per_image(model: Any, examples: Batches) -> float:
    """Median time of a prediction, of a whole batch at once on the device that is there.

    Trials that share a device slow each other down: compare figures of one trial at a time.
    """
    images, _ = next(iter(examples.dataset))
    predict = tf.function(lambda batch: model(batch, training=False))
    predict(images)  # builds the graph
    seconds = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        predict(images).numpy()  # waits for the device
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds) / len(images)
