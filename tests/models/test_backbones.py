"""Backbones by name: input range, stochastic depth, and what they refuse."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from networks import SIZE, backbone_config

from sweeper.errors import ConfigError
from sweeper.models import backbones


def _rates(model: keras.Model) -> dict[str, float]:
    return {layer.name: layer.rate for layer in model.layers if layer.name.endswith("_drop")}


@pytest.mark.parametrize(
    ("name", "size", "channels"), [("MobileNetV2", SIZE, 1280), ("Xception", 71, 2048)]
)
def test_images_are_brought_into_the_range_a_network_expects(
    name: str, size: int, channels: int
) -> None:
    model = backbones.build_backbone(backbone_config(name), size, None)
    scaled = keras.Model(model.input, model.get_layer("to_minus_one_one").output)
    corners = np.zeros((1, size, size, 3), "float32")
    corners[:, 0, 0] = 255
    assert np.asarray(scaled(corners)).min() == -1
    assert np.asarray(scaled(corners)).max() == 1
    assert model.name == name
    assert model.input.dtype == "float32"
    assert model.output.shape[-1] == channels
    assert len(model.output.shape) == 4
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)


def test_the_published_rate_is_kept_on_null(b0: keras.Model, lite0: keras.Model) -> None:
    for model in (b0, lite0):
        rates = _rates(model)
        assert len(rates) == 9
        assert rates["block2b_drop"] == pytest.approx(0.2 * 2 / 16)
        assert rates["block6d_drop"] == pytest.approx(0.2 * 14 / 16)


@pytest.mark.parametrize("name", ["EfficientNetB0", "EfficientNetLite0"])
def test_the_rate_grows_linearly_with_depth(name: str) -> None:
    rates = _rates(backbones.build_backbone(backbone_config(name), SIZE, 0.8))
    blocks = {"2b": 2, "3b": 4, "4b": 6, "4c": 7, "5b": 9, "5c": 10, "6b": 12, "6c": 13, "6d": 14}
    expected = {f"block{block}_drop": 0.8 * index / 16 for block, index in blocks.items()}
    assert rates == pytest.approx(expected)


def _training_changes(model: keras.Model, images: Any) -> bool:
    for layer in model.layers:  # leaves stochastic depth as the only thing that training changes
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    return not np.array_equal(model(images, training=True), model(images, training=False))


@pytest.mark.slow
def test_the_rate_acts_in_training_only(official_b0_file: Path, images: Any) -> None:
    backbone = backbone_config("EfficientNetB0", str(official_b0_file))
    none, high = (backbones.build_backbone(backbone, SIZE, rate) for rate in (0.0, 0.9))
    np.testing.assert_array_equal(none(images), high(images))
    assert not any(_rates(none).values())
    assert not _training_changes(none, images)
    assert _training_changes(high, images)


def test_lite0_without_stochastic_depth_has_no_dropout(images: Any) -> None:
    model = backbones.build_backbone(backbone_config("EfficientNetLite0", "imagenet"), SIZE, 0.0)
    assert not _rates(model)
    assert not _training_changes(model, images)


def test_a_rate_needs_a_place_to_act() -> None:
    vgg = backbone_config("VGG16")
    with pytest.raises(ConfigError, match=r"drop_connect_rate must be null or 0 with VGG16.* 0.3"):
        backbones.build_backbone(vgg, SIZE, 0.3)
    assert backbones.build_backbone(vgg, SIZE, 0.0).name == "VGG16"


def test_images_can_be_too_small() -> None:
    with pytest.raises(ConfigError, match=r"image_size=64 does not suit Xception.*71x71") as caught:
        backbones.build_backbone(backbone_config("Xception"), 64, None)
    assert "set image_size=224" in caught.value.faults[0]
