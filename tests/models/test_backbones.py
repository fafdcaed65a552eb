"""Backbones by name: input range, stochastic depth, and what they refuse."""

import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from networks import SIZE, backbone_config

from sweeper.errors import ConfigError
from sweeper.models.blocks import find_blocks
from sweeper.models.pretrained import networks


def _rates(model: keras.Model) -> dict[str, float]:
    return {layer.name: layer.rate for layer in model.layers if layer.name.endswith("_drop")}


@pytest.mark.parametrize(
    ("name", "size", "channels"), [("MobileNetV2", SIZE, 1280), ("VGG16", SIZE, 512)]
)
def test_a_backbone_takes_images_and_gives_its_last_activation(
    name: str, size: int, channels: int, images: Any
) -> None:
    keras.utils.set_random_seed(3)
    ours = networks.build_backbone(backbone_config(name), size, None)
    theirs = getattr(keras.applications, name)(
        weights=None, include_top=False, input_shape=(size, size, 3)
    )
    theirs.set_weights(ours.get_weights())
    module = sys.modules[getattr(keras.applications, name).__module__]
    expected = theirs(module.preprocess_input(images.copy()))
    np.testing.assert_allclose(ours(images), expected, rtol=1e-4, atol=1e-5)
    assert ours.name == name
    assert ours.input.dtype == "float32"
    assert ours.output.shape == (None, 1, 1, channels)
    assert not any(isinstance(layer, keras.Model) for layer in ours.layers)


def test_names_do_not_tell_what_was_built_before() -> None:
    first, second = (
        networks.build_backbone(backbone_config("MobileNetV3Small"), SIZE, None) for _ in range(2)
    )
    assert [layer.name for layer in first.layers] == [layer.name for layer in second.layers]
    assert "re_lu_6" in [layer.name for layer in first.layers]


@pytest.mark.more
@pytest.mark.parametrize(
    ("width", "depth", "size"),
    [
        (1.0, 1.0, "EfficientNetB0"),
        pytest.param(1.1, 1.2, "EfficientNetB2", marks=pytest.mark.slow),
    ],
)
def test_compound_scaling_makes_the_published_sizes(width: float, depth: float, size: str) -> None:
    coefficients = {"width_coefficient": width, "depth_coefficient": depth}
    scaled = backbone_config("EfficientNet", **coefficients)
    ours = networks.build_backbone(scaled, SIZE, None)
    theirs = networks.build_backbone(backbone_config(size), SIZE, None)
    assert ours.count_params() == theirs.count_params()
    shapes = [[tuple(weight.shape) for weight in model.weights] for model in (ours, theirs)]
    assert shapes[0] == shapes[1]
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    assert _rates(ours) == pytest.approx(_rates(theirs))


@pytest.mark.more
def test_a_scaled_network_reads_back_a_file_and_takes_a_rate(tmp_path: Path, images: Any) -> None:
    coefficients = {"width_coefficient": 0.25, "depth_coefficient": 0.4}
    first = networks.build_backbone(backbone_config("EfficientNet", **coefficients), SIZE, None)
    assert first.count_params() < 500_000
    # 40 % of the layers of B0, rounded up: one or two a stage, beside stem and top
    assert len(find_blocks(first)) == sum((1, 1, 1, 2, 2, 2, 1)) + 2
    first.save_weights(tmp_path / "first.weights.h5")
    again = backbone_config("EfficientNet", str(tmp_path / "first.weights.h5"), **coefficients)
    second = networks.build_backbone(again, SIZE, 0.5)
    np.testing.assert_array_equal(first(images), second(images))
    assert max(_rates(second).values()) == pytest.approx(2.5 * max(_rates(first).values()))


def test_the_published_rate_is_kept_on_null(b0: keras.Model, lite0: keras.Model) -> None:
    for model in (b0, lite0):
        rates = _rates(model)
        assert len(rates) == 9
        assert rates["block2b_drop"] == pytest.approx(0.2 * 2 / 16)
        assert rates["block6d_drop"] == pytest.approx(0.2 * 14 / 16)


@pytest.mark.more
@pytest.mark.slow
@pytest.mark.parametrize(("rate", "top"), [(None, 0.2), (0.9, 0.9)])
def test_every_block_of_v2_b1_counts_in_its_rate(rate: float | None, top: float) -> None:
    # keras.applications divides by the number of blocks of B0: its last rates pass the nominal one
    rates = _rates(networks.build_backbone(backbone_config("EfficientNetV2B1"), SIZE, rate))
    assert rates["block1b_drop"] == pytest.approx(top * 1 / 27)
    assert rates["block6i_drop"] == pytest.approx(top * 26 / 27)


@pytest.mark.parametrize("name", ["EfficientNetB0", "EfficientNetLite0"])
def test_the_rate_grows_linearly_with_depth(name: str) -> None:
    rates = _rates(networks.build_backbone(backbone_config(name), SIZE, 0.8))
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
    none, high = (networks.build_backbone(backbone, SIZE, rate) for rate in (0.0, 0.9))
    np.testing.assert_array_equal(none(images), high(images))
    assert not any(_rates(none).values())
    assert not _training_changes(none, images)
    assert _training_changes(high, images)


def test_lite0_without_stochastic_depth_has_no_dropout(images: Any) -> None:
    model = networks.build_backbone(backbone_config("EfficientNetLite0", "imagenet"), SIZE, 0.0)
    assert not _rates(model)
    assert not _training_changes(model, images)


def test_a_rate_needs_a_place_to_act() -> None:
    vgg = backbone_config("VGG16")
    with pytest.raises(ConfigError, match=r"drop_connect_rate must be null or 0 with VGG16.* 0.3"):
        networks.build_backbone(vgg, SIZE, 0.3)
    assert networks.build_backbone(vgg, SIZE, 0.0).name == "VGG16"


def test_images_can_be_too_small() -> None:
    with pytest.raises(ConfigError, match=r"image_size=64 does not suit Xception.*71x71") as caught:
        networks.build_backbone(backbone_config("Xception"), 64, None)
    assert "set image_size=299" in caught.value.faults[0]
