"""Depthwise convolution, with a faster gradient of its kernel where large kernels see small images.

On CPUs TensorFlow leaves that gradient to oneDNN, which has nothing fast for kernels beyond 3 x 3
(TensorFlow 2.21): 5 x 5 kernels took a third of a step of EfficientNet-Lite0 at 96 px. Where images
are small, as in the top blocks that a fine-tune trains, the products of all pairs of an image's and
a result's places are one matrix product a channel, and each number of the kernel is a sum of pairs.
"""

from functools import cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

_FAST_KERNEL = 3
_MOST_PLACES = 7 * 7
"""Of an image: with more, there are too many pairs (at 14 x 14 they take 1.7 times as long)."""


def depthwise_conv(images: Any, kernel: Any, layer: keras.layers.DepthwiseConv2D) -> Any:
    """``images`` ``[b, h, w, c]`` as ``layer`` convolves them, were its kernel ``kernel``."""

    def convolve(images: Any, kernel: Any) -> Any:
        return keras.ops.depthwise_conv(
            images,
            kernel,
            strides=layer.strides,
            padding=layer.padding,
            dilation_rate=layer.dilation_rate,
        )

    if not _by_pairs(images, kernel, layer):
        return convolve(images, kernel)
    stride, padding = layer.strides[0], layer.padding.upper()

    def with_gradient(images: Any, kernel: Any) -> Any:
        def gradient(upstream: Any) -> tuple[Any, Any]:
            of_images = tf.raw_ops.DepthwiseConv2dNativeBackpropInput(
                input_sizes=tf.shape(images),
                filter=kernel,
                out_backprop=upstream,
                strides=[1, stride, stride, 1],
                padding=padding,
            )
            return of_images, _of_kernel(images, upstream, kernel.shape[0], stride, padding)

        return convolve(images, kernel), gradient

    return tf.custom_gradient(with_gradient)(images, kernel)


def _by_pairs(images: Any, kernel: Any, layer: keras.layers.DepthwiseConv2D) -> bool:
    """Whether pairs of places are faster, and the formula holds."""
    height, width = images.shape[1:3]
    return (
        height == width is not None
        and width**2 <= _MOST_PLACES
        and kernel.shape[0] == kernel.shape[1] > _FAST_KERNEL
        and kernel.shape[3] == 1
        and layer.strides[0] == layer.strides[1]
        and set(layer.dilation_rate) == {1}
        and kernel.dtype == tf.float32
        and not tf.config.list_logical_devices("GPU")
    )


def _of_kernel(images: Any, upstream: Any, size: int, stride: int, padding: str) -> Any:
    """Gradient ``[k, k, c, 1]``."""
    side, channels = images.shape[1], images.shape[3]
    places = upstream.shape[1]
    pairs = tf.einsum(
        "buc,bvc->cuv",
        tf.reshape(images, [-1, side**2, channels]),
        tf.reshape(upstream, [-1, places**2, channels]),
    )
    sums = tf.reshape(pairs, [channels, -1]) @ _meetings(side, size, stride, padding)
    return tf.reshape(tf.transpose(sums), [size, size, channels, 1])


@cache
def _meetings(side: int, size: int, stride: int, padding: str) -> NDArray[np.float32]:
    """``[pairs, k * k]``: 1 where a number of the kernel takes an image's place to a result's."""
    places = -(-side // stride) if padding == "SAME" else (side - size) // stride + 1
    before = max((places - 1) * stride + size - side, 0) // 2 if padding == "SAME" else 0
    row = np.zeros((side, places, size), np.float32)
    for result in range(places):
        for number in range(size):
            place = stride * result + number - before
            if 0 <= place < side:
                row[place, result, number] = 1
    both: NDArray[np.float32] = np.einsum("abc,xyz->axbycz", row, row)
    return both.reshape(side**2 * places**2, size**2)
