"""Networks that are slow to make, made once; nobody changes their weights."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from networks import SIZE, backbone_config, random_images, tiny_backbone

from sweeper.models.pretrained import networks


@pytest.fixture
def tiny() -> keras.Model:
    return tiny_backbone()


@pytest.fixture(scope="session")
def images() -> Any:
    return random_images(SIZE)


@pytest.fixture(scope="session")
def lite0() -> keras.Model:
    """With its ImageNet weights."""
    return networks.build_backbone(backbone_config("EfficientNetLite0", "imagenet"), SIZE, None)


@pytest.fixture(scope="session")
def b0() -> keras.Model:
    """Random weights, and the official file's statistics in its Normalization layer."""
    keras.utils.set_random_seed(0)
    model = networks.build_backbone(backbone_config("EfficientNetB0"), SIZE, None)
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
