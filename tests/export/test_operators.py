"""Operators that converters have failed at, each in a small network and in every exact format."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from recipes import recipe
from saved.saved_models import SIDE, card, saved
from sklearn.datasets import load_sample_image

from sweeper.export.exported_folder import ExportedFolder
from sweeper.export.exporting import Pictures, export
from sweeper.export.file_check import Checked
from sweeper.saved.classifier import SavedClassifier
from sweeper.train.building import build_classifier_for

EXACT = ("keras", "savedmodel", "tflite", "onnx")
COUNT = 6

layers = keras.layers


@keras.saving.register_keras_serializable("tests")
class GeluByTanh(keras.layers.Layer):  # type: ignore[misc]
    """Keras' GELU with its other formula."""

    def call(self, images: Any) -> Any:
        return keras.activations.gelu(images, approximate=True)


OPERATORS: dict[str, Callable[[], keras.Layer]] = {
    # of EfficientNet: its mean and variance are constants, no variables
    "normalization": lambda: layers.Normalization(mean=[120.0] * 3, variance=[900.0] * 3),
    # of ConvNeXt
    "grouped convolution": lambda: layers.Conv2D(6, 3, groups=3, padding="same"),
    "gelu": lambda: layers.Activation("gelu"),
    "gelu by tanh": GeluByTanh,
    "layer normalization": layers.LayerNormalization,
    # of MobileNet and EfficientNet
    "depthwise convolution": lambda: layers.DepthwiseConv2D(3, strides=2, padding="same"),
    "separable convolution": lambda: layers.SeparableConv2D(4, 3, dilation_rate=2),
    "hard swish": lambda: layers.Activation("hard_swish"),
    "swish": lambda: layers.Activation("swish"),
    "relu6": lambda: layers.ReLU(max_value=6.0),
    "zero padding": lambda: layers.ZeroPadding2D(((0, 1), (1, 2))),
    "average pooling": lambda: layers.AveragePooling2D(3, padding="same"),
    "stochastic depth": lambda: layers.Dropout(0.5, noise_shape=(None, 1, 1, 1)),
}

IN_CI = ("normalization", "grouped convolution", "gelu by tanh")
"""Those at which Keras' own way to ONNX fails."""


def exported(classifier: SavedClassifier, side: int, folder: Path) -> dict[str, Checked]:
    photograph = load_sample_image("flower.jpg").astype(np.float32)
    crops = [photograph[30 * k : 30 * k + side, 40 * k : 40 * k + side] for k in range(2 * COUNT)]
    images = np.stack(crops)
    found: dict[str, Checked] = {}
    pictures = Pictures(images[:COUNT], [str(k) for k in range(COUNT)], images[COUNT:])
    place = ExportedFolder(folder, classifier.file, EXACT)
    export(classifier, "it", EXACT, place, pictures, found.__setitem__)
    return found


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.more] * (name not in IN_CI)) for name in OPERATORS],
)
def test_an_operator_is_the_same_in_every_exact_format(tmp_path: Path, name: str) -> None:
    keras.utils.set_random_seed(1)
    images = keras.Input((SIDE, SIDE, 3), name="image")
    x = images if name == "normalization" else layers.Rescaling(1 / 60, -2)(images)
    x = layers.Flatten()(OPERATORS[name]()(x))
    network = keras.Model(images, layers.Softmax()(layers.Dense(3)(x)))
    classifier = SavedClassifier.load(saved(tmp_path / "it.keras", network))
    for checked in exported(classifier, SIDE, tmp_path / "out").values():
        assert checked.images == COUNT
        assert checked.largest < 1e-5
        assert checked.changed == 0


@pytest.mark.more
@pytest.mark.parametrize("name", ["efficientnet_b0", "convnext_tiny", "mobilenet_v3_small"])
def test_a_family_is_the_same_in_every_exact_format(tmp_path: Path, name: str) -> None:
    side = 64
    changes = (f"image_size={side}", f"backbone={name}", "backbone.weights=null", "freeze=scratch")
    classifier = build_classifier_for(recipe("+experiment=digits_lite0", *changes), 3)
    network = classifier.inference_model()
    # a new head gives every class the same probability
    head = [one for one in network._flatten_layers() if isinstance(one, layers.Dense)][-1]
    random = np.random.default_rng(0)
    head.set_weights([random.normal(0, 0.5, weight.shape) for weight in head.get_weights()])
    file = saved(tmp_path / "it.keras", network, card(image_size=side))
    for checked in exported(SavedClassifier.load(file), side, tmp_path / "out").values():
        assert checked.largest < 1e-4
