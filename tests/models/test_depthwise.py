"""The faster gradient of a depthwise kernel is the gradient, and is there where it is faster."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sweeper.models.depthwise import depthwise_conv


def learn(layer: Any, convolve: Any, side: int) -> tuple[list[Any], bool]:
    """What ``convolve`` gives, its gradients by images and by kernel; whether by pairs."""
    generator = np.random.default_rng(0)
    images = tf.constant(generator.normal(size=(5, side, side, 3)), tf.float32)
    shape = (*layer.kernel_size, 3, layer.depth_multiplier)
    kernel = tf.constant(generator.normal(size=shape), tf.float32)

    @tf.function(autograph=False)
    def run(images: Any, kernel: Any) -> list[Any]:
        with tf.GradientTape() as tape:
            tape.watch([images, kernel])
            result = convolve(images, kernel, layer)
            loss = tf.reduce_sum(tf.sin(result))
        return [result, *tape.gradient(loss, [images, kernel])]

    graph = run.get_concrete_function(images, kernel).graph
    types = {operation.type for operation in graph.get_operations()}
    return run(images, kernel), "DepthwiseConv2dNativeBackpropFilter" not in types


def plain(images: Any, kernel: Any, layer: Any) -> Any:
    strides = [1, *layer.strides, 1]
    return tf.nn.depthwise_conv2d(images, kernel, strides, layer.padding.upper())


@given(
    side=st.integers(1, 7),
    size=st.integers(4, 7),
    stride=st.integers(1, 3),
    padding=st.sampled_from(["same", "valid"]),
)
@settings(max_examples=25, deadline=None)
def test_on_small_images_large_kernels_learn_by_the_same_gradient(
    side: int, size: int, stride: int, padding: str
) -> None:
    assume(padding == "same" or side >= size)
    layer = keras.layers.DepthwiseConv2D(size, stride, padding, use_bias=False)
    found, by_pairs = learn(layer, depthwise_conv, side)
    expected, _ = learn(layer, plain, side)
    assert by_pairs
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("side", "size", "stride"),
    [(7, 3, 1), (8, 5, 1), (14, 5, 2)],
)
def test_elsewhere_the_gradient_is_tensorflows_own(side: int, size: int, stride: int) -> None:
    layer = keras.layers.DepthwiseConv2D(size, stride, "same", use_bias=False)
    _, by_pairs = learn(layer, depthwise_conv, side)
    assert not by_pairs


@pytest.mark.parametrize("options", [{"depth_multiplier": 2}, {"dilation_rate": 2}])
def test_kernels_of_another_kind_learn_too(options: dict[str, Any]) -> None:
    layer = keras.layers.DepthwiseConv2D(5, padding="same", use_bias=False, **options)
    (_, of_images, of_kernel), by_pairs = learn(layer, depthwise_conv, 6)
    assert not by_pairs
    assert np.abs(of_images).max() > 0
    assert np.abs(of_kernel).max() > 0
