"""Networks with normalization folded into convolutions: the same numbers, the same learning."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from networks import random_images, tiny_backbone

from sweeper.models.folding import Folded

layers = keras.layers


def made_of(*between: Any) -> keras.Model:
    """A network of these layers, with statistics and weights that change something."""
    x = images = keras.Input((8, 8, 3))
    for layer in between:
        x = layer(x)
    model = keras.Model(images, x)
    generator = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(generator.uniform(0.5, 1.5, weight.shape))
    return model


def as_graph(network: Any, training: bool) -> Callable[[Any], Any]:
    found: Callable[[Any], Any] = tf.function(lambda images: network(images, training=training))
    return found


def scales_images(network: Any, training: bool) -> bool:
    """Whether something multiplies each number of a batch, as normalization does."""
    batch = tf.TensorSpec([7, 8, 8, 3])
    graph = tf.function(lambda x: network(x, training=training)).get_concrete_function(batch).graph
    return any(
        operation.type in ("Mul", "FusedBatchNormV3") and operation.outputs[0].shape[0] == 7
        for operation in graph.get_operations()
    )


CONVOLUTIONS = {
    "plain": lambda: layers.Conv2D(4, 3, use_bias=False),
    "with a bias": lambda: layers.Conv2D(4, 3, strides=2, padding="same"),
    "in groups": lambda: layers.Conv2D(6, 3, groups=3),
    "dilated": lambda: layers.Conv2D(4, 3, dilation_rate=2),
    "depthwise": lambda: layers.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2),
    "separable": lambda: layers.SeparableConv2D(5, 3),
}
NORMS: dict[str, dict[str, Any]] = {
    "both": {},
    "no scale": {"scale": False},
    "no center": {"center": False, "epsilon": 0.1},
}


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("convolution", CONVOLUTIONS)
def test_a_convolution_takes_in_the_norm_after_it(convolution: str, norm: str) -> None:
    network = made_of(
        CONVOLUTIONS[convolution](), layers.BatchNormalization(**NORMS[norm]), layers.ReLU()
    )
    network.trainable = False
    folded = Folded(network)
    assert folded.weights == []
    images = random_images(8) / 255
    for training in (False, True):
        np.testing.assert_allclose(
            folded(images, training=training), network(images, training=training), rtol=1e-4
        )
    assert scales_images(network, False)
    assert not scales_images(folded, False)


def test_it_learns_what_the_network_learns() -> None:
    network = made_of(layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU())
    network.layers[2].trainable = False
    images = tf.constant(random_images(8) / 255)
    found = []
    for run in (network, Folded(network)):
        with tf.GradientTape() as tape:
            value = tf.reduce_sum(run(images, training=True) ** 2)
        found.append(tape.gradient(value, network.trainable_variables))
    assert len(found[0]) == 2
    for mine, other in zip(*found, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4)


def test_a_norm_that_trains_stands_still_only_when_nothing_does() -> None:
    network = made_of(layers.Conv2D(4, 3), layers.BatchNormalization())
    folded, images = Folded(network), random_images(8)
    assert scales_images(folded, True)
    assert not scales_images(folded, False)
    before = [weight.numpy() for weight in network.non_trainable_weights]
    folded(images, training=True)
    after = [weight.numpy() for weight in network.non_trainable_weights]
    assert all((one != other).any() for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize(
    ("convolution", "norm"),
    [
        (layers.Conv2D(4, 3, activation="relu"), layers.BatchNormalization()),
        (layers.Conv2D(4, 3), layers.BatchNormalization(axis=1)),
        (layers.Conv2D(4, 3, dtype="float64"), layers.BatchNormalization()),
        (layers.Conv2DTranspose(4, 3), layers.BatchNormalization()),
    ],
)
def test_what_does_not_fit_is_run_as_it_is(convolution: Any, norm: Any) -> None:
    network = made_of(convolution, norm)
    images = random_images(8)
    np.testing.assert_array_equal(Folded(network)(images), network(images, training=False))


@pytest.mark.parametrize("where", ["used twice", "an output"])
def test_a_convolution_that_others_need_stays_as_it_is(where: str) -> None:
    images = keras.Input((8, 8, 3))
    convolved = layers.Conv2D(3, 3, padding="same")(images)
    norm = layers.BatchNormalization(epsilon=0.5)(convolved)
    if where == "used twice":
        network = keras.Model(images, layers.Add()([norm, convolved]))
    else:
        network = keras.Model(images, [convolved, norm])
    pixels = random_images(8)
    found, wanted = Folded(network)(pixels, training=False), network(pixels, training=False)
    for mine, other in zip(keras.tree.flatten(found), keras.tree.flatten(wanted), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_several_outputs_of_any_number_of_images() -> None:
    network = tiny_backbone()
    inside = network.get_layer("block1b_add").output
    both = keras.Model(network.input, [inside, network.output])
    folded = as_graph(Folded(both), False)
    for count in (5, 1):
        images = random_images(8, count)
        for found, wanted in zip(folded(images), both(images, training=False), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_new_weights_count() -> None:
    network = tiny_backbone()
    images = random_images(8)
    folded = as_graph(Folded(network), False)
    folded(images)
    network.set_weights([2 * weight for weight in network.get_weights()])
    wanted = network(images, training=False)
    np.testing.assert_allclose(folded(images), wanted, rtol=1e-4, atol=1e-5)


def test_half_precision_folds_in_single_precision() -> None:
    """An offset of 4,096 is lost in bfloat16 unless what cancels it is folded before."""
    policy = keras.dtype_policies.DTypePolicy("mixed_bfloat16")
    network = made_of(
        layers.Conv2D(4, 1, use_bias=True, dtype=policy),
        layers.BatchNormalization(dtype=policy),
    )
    _, convolution, norm = network.layers
    convolution.bias.assign(convolution.bias + 4096)
    norm.moving_mean.assign(norm.moving_mean + 4096)
    images = random_images(8) / 255
    found = Folded(network)(images, training=False)
    assert found.dtype == tf.bfloat16
    kernel, bias = (np.asarray(weight) for weight in convolution.weights)
    gamma, beta, mean, variance = (np.asarray(weight) for weight in norm.weights)
    exact = (images @ kernel[0, 0] + bias - mean) / np.sqrt(variance + norm.epsilon) * gamma + beta
    np.testing.assert_allclose(tf.cast(found, tf.float32), exact, atol=0.05)
