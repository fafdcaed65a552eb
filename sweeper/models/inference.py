"""A network that only predicts."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def compiled(model: Any) -> Callable[[tf.Tensor], tf.Tensor]:
    """``model`` in inference mode as one graph, for batches of any size."""
    (images,) = model.inputs
    run: Callable[[tf.Tensor], tf.Tensor] = tf.function(
        lambda batch: model(batch, training=False),
        autograph=False,
        input_signature=[tf.TensorSpec(images.shape, images.dtype)],
    )
    return run
