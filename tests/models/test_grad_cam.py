"""Grad-CAM on networks whose answer is known to come from one place of the image."""

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from sweeper.config import Head
from sweeper.models.build import Classifier, attach_head
from sweeper.models.grad_cam import grad_cam


def classifier(classes: int = 2, pooling: str = "avg", *, one_logit: bool = False) -> Classifier:
    """Its features are red and blue in cells of 8 by 8 pixels; class 0 is red, the last is blue."""
    image = keras.Input((32, 32, 3))
    cells = keras.layers.AveragePooling2D(8)(keras.layers.Rescaling(1 / 255)(image))
    colours = keras.layers.Conv2D(2, 1, use_bias=False, name="colours")
    backbone = keras.Model(image, colours(cells), name="backbone")
    colours.set_weights([np.array([[[[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]]])])
    settings = {
        "pooling": pooling,
        "batch_norm": False,
        "hidden": None,
        "dropout": 0.0,
        "l2": 0.0,
        "one_logit": one_logit,
    }
    made = attach_head(backbone, Head(**settings), classes)
    weights = np.zeros(made.head.get_layer("logits").kernel.shape, np.float32)
    if one_logit:
        weights[:, 0] = [-1, 1]
    elif pooling == "avg":
        weights[0, 0] = weights[1, -1] = 1
    made.head.get_layer("logits").set_weights([weights, np.zeros(weights.shape[1])])
    return made


def picture() -> NDArray[np.float32]:
    """Red in the upper left cell, blue in the lower right one."""
    image = np.zeros((32, 32, 3), np.float32)
    image[:8, :8, 0] = 255
    image[24:, 24:, 2] = 255
    return image


@pytest.mark.parametrize("one_logit", [False, True])
def test_it_is_warm_where_the_class_is_seen(one_logit: bool) -> None:
    network = classifier(one_logit=one_logit).inference_model()
    heat = grad_cam(network, np.stack([picture(), picture()]), np.array([0, 1]))
    assert heat is not None
    assert heat.shape == (2, 4, 4)
    assert np.unravel_index(heat[0].argmax(), (4, 4)) == (0, 0)
    assert np.unravel_index(heat[1].argmax(), (4, 4)) == (3, 3)
    assert heat.max(axis=(1, 2)) == pytest.approx([1, 1])
    assert heat.min() >= 0


def test_nothing_spoke_for_it() -> None:
    network = classifier(3).inference_model()
    heat = grad_cam(network, picture()[np.newaxis], np.array([1]))
    assert heat is not None
    assert not heat.any()


def test_an_activation_of_one_place_has_no_map() -> None:
    image = keras.Input((32, 32, 3))
    backbone = keras.Model(image, keras.layers.AveragePooling2D(32)(image))
    head = Head(pooling="avg", batch_norm=False, hidden=None, dropout=0.0, l2=0.0, one_logit=False)
    network = attach_head(backbone, head, 2).inference_model()
    assert grad_cam(network, picture()[np.newaxis], np.array([0])) is None
