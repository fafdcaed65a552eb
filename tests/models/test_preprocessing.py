"""Preprocessing layers against ``keras.applications.<family>.preprocess_input``."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from sweeper import config
from sweeper.models import catalogue
from sweeper.models.pretrained.preprocessing import preprocess

MODES = ("none", "tf", "torch", "caffe")


@pytest.fixture(scope="module")
def models() -> dict[str, keras.Model]:
    made = {}
    for mode in MODES:
        images = keras.Input((5, 6, 3))
        made[mode] = keras.Model(images, preprocess(images, mode))
    return made


@pytest.fixture(scope="module")
def photos() -> Any:
    return np.random.default_rng(1).uniform(0, 255, (4, 5, 6, 3)).astype("float32")


def _preprocess_input(name: str) -> Any:
    """Of the module that defines the network."""
    name = {config.SCALED: "EfficientNetB0", config.LITE0: "EfficientNetB0"}.get(name, name)
    module = sys.modules[getattr(keras.applications, name).__module__]
    return module.preprocess_input


@pytest.mark.parametrize("option", catalogue.options())
def test_every_backbone_is_given_what_its_family_expects(
    option: str, models: dict[str, keras.Model], photos: Any
) -> None:
    backbone = catalogue.options()[option]
    expected = _preprocess_input(backbone.name)(photos.copy())
    np.testing.assert_allclose(models[backbone.preprocessing](photos), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("mode", MODES)
def test_preprocessing_is_saved_with_the_model(
    mode: str, models: dict[str, keras.Model], photos: Any, tmp_path: Path
) -> None:
    models[mode].save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", custom_objects={})
    np.testing.assert_array_equal(loaded(photos), models[mode](photos))


@pytest.fixture
def half_precision() -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(before)


@pytest.mark.usefixtures("half_precision")
@pytest.mark.parametrize("mode", ["tf", "torch", "caffe"])
def test_half_precision_takes_nothing_from_the_images(
    mode: Any, models: dict[str, keras.Model], photos: Any
) -> None:
    images = keras.Input((5, 6, 3), dtype="float32")
    half = keras.Model(images, preprocess(images, mode))
    np.testing.assert_array_equal(half(photos), models[mode](photos))
