"""Configurations and small networks that the tests of this folder build from."""

from typing import Any

import keras

from sweeper import config

SIZE = 32


def backbone_config(name: str, weights: str | None = None) -> config.Backbone:
    return config.Backbone(
        name=name,
        resolution=224,
        blocks=1,
        input_range="-1..1" if name in {"MobileNetV2", "Xception"} else "0..255",
        stochastic_depth=name.startswith("EfficientNet"),
        weights=weights,
    )


def head_config(**changes: Any) -> config.Head:
    plain: dict[str, Any] = {
        "pooling": "avg",
        "batch_norm": False,
        "dropout": 0.0,
        "one_logit": False,
    }
    return config.Head(**(plain | changes))


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
