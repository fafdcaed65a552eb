"""A split_model in two parts: what never changes, and what is trained on what that one gives."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from networks import freeze_config, head_config, one_step, random_images

from sweeper.models.build import Classifier, attach_head
from sweeper.models.split_model import SplitModel


@pytest.mark.parametrize("pooling", ["avg", "max", "flatten"])
@pytest.mark.parametrize("unfrozen", [0, 1, 2])
def test_the_parts_together_are_the_whole(pooling: str, unfrozen: int, tiny: keras.Model) -> None:
    images: Any = random_images(8)
    classifier = attach_head(tiny, head_config(pooling=pooling, batch_norm=True, hidden=5), 3)
    whole = classifier.split_model(freeze_config(unfreeze_blocks=unfrozen)).thaw()
    parts = whole.split()
    assert parts is not None
    prefix, rest = parts
    expected = (
        {"avg": (4,), "max": (4,), "flatten": (8, 8, 4)}[pooling] if unfrozen == 0 else (8, 8, 4)
    )
    given = np.asarray(prefix(images, training=False))
    assert given.shape == (4, *expected)
    assert rest.frozen is None
    # the same variables in the same order: a checkpoint of one is one of the other
    draws = (whole.draw, rest.draw)
    mine = [id(v) for v in rest.changing if v is not draws[1]]
    assert mine == [id(v) for v in whole.changing if v is not draws[0]]
    assert [id(v) for v in rest.learned] == [id(v) for v in whole.learned]
    before = [weight.numpy() for weight in prefix.weights]
    np.testing.assert_allclose(rest(given), whole(images), rtol=1e-5, atol=1e-6)
    trained = {id(weight) for weight in whole.trainable_variables}
    assert {id(weight) for weight in rest.trainable_variables} == trained
    one_step(rest, given)
    np.testing.assert_allclose(rest(given), whole(images), rtol=1e-5, atol=1e-6)
    for weight, value in zip(prefix.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


@pytest.mark.parametrize("unfrozen", [1, "all"])
@pytest.mark.parametrize("convolution_first", [True, False])
def test_affine_learns_as_a_backbone_that_is_called_in_inference_mode(
    convolution_first: bool, unfrozen: int | str
) -> None:
    backbone = _backbone(convolution_first)
    classifier = attach_head(backbone, head_config(), 2)
    for split_model in _whole_and_rest(
        classifier.split_model(freeze_config(unfreeze_blocks=unfrozen, batch_norm="affine")).thaw()
    ):
        images = tf.constant(random_images(8) / 255)
        given = images if split_model.frozen or unfrozen == "all" else _below(classifier, images)
        variables = split_model.trainable_variables
        with tf.GradientTape(persistent=True) as tape:
            logits = split_model(given, training=True)
            expected = classifier.head(backbone(images, training=False), training=True)
            ours, theirs = tf.reduce_sum(logits**2), tf.reduce_sum(expected**2)
        np.testing.assert_allclose(logits, expected, rtol=1e-4)
        pairs = zip(tape.gradient(ours, variables), tape.gradient(theirs, variables), strict=True)
        for mine, reference in pairs:
            np.testing.assert_allclose(mine, reference, rtol=1e-3, atol=1e-4)
        learned = {weight.path.rsplit("/")[-1] for weight in variables}
        assert learned == {"kernel", "bias", "gamma", "beta"}


def _backbone(convolution_first: bool) -> keras.Model:
    """Two blocks, their statistics far from those of a batch; normalization before or after."""
    x = images = keras.Input((8, 8, 3))
    for block in ("block1a_", "block2a_"):
        convolution = keras.layers.Conv2D(4, 3, padding="same", name=f"{block}conv")
        norm = keras.layers.BatchNormalization(name=f"{block}bn")
        x = norm(convolution(x)) if convolution_first else convolution(norm(x))
        x = keras.layers.ReLU(name=f"{block}out")(x)
    model = keras.Model(images, x, name="Small")
    generator = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(generator.uniform(0.5, 1.5, weight.shape))
    return model


def _whole_and_rest(split_model: SplitModel) -> list[SplitModel]:
    parts = split_model.split()
    return [split_model] if parts is None else [split_model, parts[1]]


def _below(classifier: Classifier, images: Any) -> Any:
    below = classifier.blocks[0].layers[-1]
    return keras.Model(classifier.backbone.input, classifier.backbone.get_layer(below).output)(
        images, training=False
    )


def test_without_a_frozen_part_there_is_nothing_to_split(tiny: keras.Model) -> None:
    classifier = attach_head(tiny, head_config(), 3)
    assert classifier.split_model(freeze_config(unfreeze_blocks="all")).split() is None
