"""A network that does not change, as one compiled function."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

_MOST_CONSTANT_BYTES = 500 * 10**6
"""TensorFlow's graphs hold 2 GB at most, and several copies of one while it is optimized."""


def compiled(network: keras.Model) -> Callable[[tf.Tensor], list[tf.Tensor]]:
    """``network`` in inference mode, from images ``[batch, s, s, 3]`` to all of its outputs.

    The weights are those that it has now. On a CPU they become constants of the graph, so that
    TensorFlow merges normalization into convolutions once: EfficientNet-Lite0 at 96 px takes 0.7 of
    the time. Numbers differ in their last bits from those of the network itself.
    """
    trainable = [variable.numpy() for variable in network.trainable_variables]
    other = [variable.numpy() for variable in network.non_trainable_variables]
    size = sum(weight.nbytes for weight in [*trainable, *other])
    constant = size <= _MOST_CONSTANT_BYTES and not tf.config.list_logical_devices("GPU")

    def run(images: tf.Tensor) -> list[Any]:
        if not constant:
            found = network(images, training=False)
        else:
            found, _ = network.stateless_call(
                [tf.constant(weight) for weight in trainable],
                [tf.constant(weight) for weight in other],
                images,
                training=False,
            )
        # Keras gives a list of one tensor as the tensor
        return list(keras.tree.flatten(found))

    shape = tf.TensorSpec(network.input.shape, network.input.dtype)
    run_compiled: Callable[[tf.Tensor], list[tf.Tensor]] = tf.function(
        run, autograph=False, input_signature=[shape]
    )
    return run_compiled
