"""Configurations and small networks that the tests of this folder build from."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from sweeper import config
from sweeper.models import catalogue
from sweeper.models.blocks import crossings

SIZE = 32
_LARGER = {"Xception": 71, "InceptionV3": 75, "InceptionResNetV2": 75}
_BACKBONES = {backbone.name: backbone for backbone in catalogue.options().values()}


def smallest_size(name: str) -> int:
    """Side of the smallest images that the network takes, or that suffice."""
    return _LARGER.get(name, SIZE)


def backbone_config(name: str, weights: str | None = None, **changes: Any) -> config.Backbone:
    """What the recipe of this network says, with other ``weights``."""
    return _BACKBONES[name].model_copy(update={"weights": weights, **changes})


def head_config(**changes: Any) -> config.Head:
    plain: dict[str, Any] = {
        "pooling": "avg",
        "batch_norm": False,
        "hidden": None,
        "dropout": 0.0,
        "one_logit": False,
    }
    return config.Head(**(plain | changes))


def freeze_config(**changes: Any) -> config.Freeze:
    """``freeze_config(unfreeze_blocks=3)``, BatchNorm frozen."""
    plain: dict[str, Any] = {
        "unfreeze_blocks": None,
        "unfreeze_from": None,
        "unfreeze_layers": None,
        "batch_norm": "frozen",
        "scratch": False,
    }
    return config.Freeze(**(plain | changes))


def random_images(size: int, count: int = 4) -> Any:
    images = np.random.default_rng(0).uniform(0, 255, (count, size, size, 3))
    return images.astype("float32")


def one_step(model: keras.Model, images: Any) -> float:
    """Train on one batch of the first two classes; the loss before.

    By the sign of the gradient: however small it is, the weight moves.
    """
    labels = np.arange(len(images)) % 2
    optimizer = keras.optimizers.Lion(1e-2)
    variables = model.trainable_variables
    with tf.GradientTape() as tape:
        logits = model(images, training=True)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, logits)
    optimizer.apply(tape.gradient(loss, variables), variables)
    return float(loss)


def tiny_backbone() -> keras.Model:
    """Three marked blocks, two of them with stochastic depth; 0.1 s to make."""
    images = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Rescaling(1 / 255, name="rescaling")(images)
    x = keras.layers.Conv2D(4, 3, padding="same", use_bias=False, name="block1a_conv")(x)
    x = keras.layers.BatchNormalization(name="block1a_bn")(x)
    for block in ("block1b_", "block2a_"):
        branch = keras.layers.Conv2D(4, 3, padding="same", name=f"{block}conv")(x)
        branch = keras.layers.BatchNormalization(name=f"{block}bn")(branch)
        branch = keras.layers.Dropout(0.5, noise_shape=(None, 1, 1, 1), name=f"{block}drop")(branch)
        x = keras.layers.Add(name=f"{block}add")([x, branch])
    return keras.Model(images, x, name="Tiny")


def cuts(model: keras.Model) -> list[str]:
    """Names of the operations at whose output the model can be cut."""
    return [operation.name for operation, alone in crossings(model) if alone]
