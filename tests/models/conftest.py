"""Networks that are slow to make, made once; nobody changes their weights."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from sweeper import config
from sweeper.models import backbones

SIZE = 32


def backbone_config(name: str, weights: str | None = None) -> config.Backbone:
    return config.Backbone(
        name=name,
        resolution=224,
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


@pytest.fixture
def tiny() -> keras.Model:
    return tiny_backbone()


@pytest.fixture(scope="session")
def images() -> Any:
    return np.random.default_rng(0).uniform(0, 255, (4, SIZE, SIZE, 3)).astype("float32")


@pytest.fixture(scope="session")
def lite0() -> keras.Model:
    """With its ImageNet weights."""
    return backbones.build_backbone(backbone_config("EfficientNetLite0", "imagenet"), SIZE, None)


@pytest.fixture(scope="session")
def b0() -> keras.Model:
    """Random weights, and the official file's statistics in its Normalization layer."""
    keras.utils.set_random_seed(0)
    model = backbones.build_backbone(backbone_config("EfficientNetB0"), SIZE, None)
    (norm,) = (layer for layer in model.layers if isinstance(layer, keras.layers.Normalization))
    mean, stddev = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    norm.set_weights([np.array(mean), np.array(stddev), np.array(0)])
    norm.finalize_state()
    return model


@pytest.fixture(scope="session")
def official_b0_file(b0: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("official") / "efficientnetb0_notop.h5"
    b0.save(path)
    return path
