"""Where a classifier looked: Grad-CAM (Selvaraju et al. 2017) on the backbone's last activation."""

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


def grad_cam(
    network: keras.Model, images: NDArray[np.float32], classes: NDArray[np.int64]
) -> NDArray[np.float32] | None:
    """What spoke for ``classes``.

    Args:
        network: as :meth:`sweeper.models.build.Classifier.inference_model` makes it.
        images: ``[n, size, size, 3]`` in [0, 255].
        classes: ``[n]``, one for each image.

    Returns:
        ``[n, height, width]`` in [0, 1] on the grid of the last activation, 1 where most spoke for
        the class; all 0 where nothing did. None of a network that is made otherwise, or whose
        last activation has one position only.
    """
    parts = [layer for layer in network.layers if isinstance(layer, keras.Model)]
    if len(parts) != 2 or len(parts[0].output.shape) != 4 or 1 in parts[0].output.shape[1:3]:
        return None
    backbone, head = parts
    with tf.GradientTape() as tape:
        activation = backbone(tf.constant(images), training=False)
        tape.watch(activation)
        logits = head(activation, training=False)
        if logits.shape[-1] == 1:  # one logit, of the second class
            of_class = tf.where(classes == 1, logits[:, 0], -logits[:, 0])
        else:
            of_class = tf.gather(logits, classes, batch_dims=1)
        total = tf.reduce_sum(of_class)
    gradient = tf.cast(tape.gradient(total, activation), tf.float32)
    weights = tf.reduce_mean(gradient, axis=(1, 2), keepdims=True)
    heat = tf.nn.relu(tf.reduce_sum(weights * tf.cast(activation, tf.float32), axis=-1))
    most = tf.reduce_max(heat, axis=(1, 2), keepdims=True)
    found: NDArray[np.float32] = tf.math.divide_no_nan(heat, most).numpy()
    return found
