"""Batches of what is kept of frozen layers, one view an epoch."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import tensorflow as tf

from sweeper.data.batches import Batches, shuffled
from sweeper.data.examples import Examples
from sweeper.data.targets import Targets
from sweeper.train.frozen.views import View


def of_views(
    views: Sequence[View],
    examples: Examples,
    targets: Targets,
    batch_size: int,
    shuffle_seed: int | None,
    first_step: int,
) -> Batches:
    """Batches of what is kept of ``examples`` in each of ``views``.

    Epoch ``first_step`` sees the first view, the next one the second, and so on round and round, in
    the order that :func:`~sweeper.data.batches.batches` would have.
    """
    labels = examples.labels
    count = len(labels)
    with tf.device("CPU"):
        orders = tf.concat([view.rows_of(examples) for view in views], 0)

    def fetch(number: Any, places: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.device("CPU"):  # the files stay where they are
            turn = (number - first_step) % len(views)
            rows = tf.gather(orders, turn * count + places)

            def of_turn(files: Sequence[tf.Tensor]) -> tf.Tensor:
                choices = [partial(tf.gather, file, rows) for file in files]
                return tf.switch_case(tf.cast(turn, tf.int32), choices)

            values = tf.cast(of_turn([view.values for view in views]), tf.float32)
            mixed = [view.targets for view in views if view.targets is not None]
            if mixed:
                return values, targets.smoothed(of_turn(mixed))
            return values, targets(tf.gather(labels, places))

    def epoch(number: Any) -> tf.data.Dataset:
        places = shuffled(tf.data.Dataset.range(count), count, shuffle_seed, number)
        return places.batch(batch_size).map(partial(fetch, number))

    return Batches(labels, count, math.ceil(count / batch_size), epoch)
