"""Backbones: networks without their classifier, by public name, ready for images in [0, 255]."""

import math
import re
import warnings
from pathlib import Path
from typing import Any

import keras
from keras.src.applications.efficientnet import EfficientNet
from keras.src.utils.naming import reset_uids

from sweeper import config
from sweeper.errors import ConfigError
from sweeper.models.pretrained import lite0, weights
from sweeper.models.pretrained.preprocessing import preprocess

_BLOCK = re.compile(r"block\d+[a-z]_")
"""How every EfficientNet, of either version, begins the names of a block's layers."""


def build_backbone(
    backbone: config.Backbone, image_size: int, drop_connect_rate: float | None
) -> keras.Model:
    """Functional model from images to the last spatial activation.

    It is flat but for ConvNeXt, whose stem and downsampling are models of two layers each. Layers
    that Keras names by counting (``conv2d_7``) are counted from the first one of this network.

    Args:
        backbone: which network, its preprocessing and its weights.
        image_size: side of the images in pixels.
        drop_connect_rate: stochastic depth: the residual branch of block i of n (from 0) is
            skipped with the chance ``rate * i / n``. None is the published 0.2 where a network has
            stochastic depth, also where Keras is off it: it leaves the depth coefficient of V2-B1
            to B3 out of n, and skips their last blocks with a chance of up to 0.3.

    Returns:
        Model named ``backbone.name``, from ``[batch, image_size, image_size, 3]`` float32 in
        [0, 255] to ``[batch, height, width, channels]`` in the compute dtype.

    Raises:
        MissingInput: the weights are not there.
        ConfigError: the weights file does not fit, the images are too small for the network, or
            the network has no stochastic depth to give a rate to.
    """
    # else names would tell how many networks this process had built before
    reset_uids()
    images = keras.Input((image_size, image_size, 3), dtype="float32", name="image")
    network = preprocess(images, backbone.preprocessing)
    if backbone.name == config.LITE0:
        rate = lite0.PUBLISHED_DROP_CONNECT_RATE if drop_connect_rate is None else drop_connect_rate
        model = lite0.efficientnet_lite0(network, rate)
        if backbone.weights == "imagenet":
            lite0.assign_imagenet(model)
    else:
        model = _application(backbone, network)
    if backbone.weights not in {None, "imagenet"}:
        weights.load_file(model, Path(str(backbone.weights)).expanduser(), backbone.name)
    if backbone.name != config.LITE0:
        model = _with_drop_connect_rate(model, drop_connect_rate, backbone.name)
    return keras.Model(model.input, model.output, name=backbone.name)


def _application(backbone: config.Backbone, images: Any) -> keras.Model:
    """``keras.applications.<name>`` on ``images``, ImageNet weights or random ones."""
    arguments = {"include_top": False, "input_tensor": images, "input_shape": images.shape[1:]}
    if backbone.name == config.SCALED:
        # the function behind B0 to B7; Keras does not export it
        constructor = EfficientNet
        arguments |= {
            "width_coefficient": backbone.width_coefficient,
            "depth_coefficient": backbone.depth_coefficient,
            "default_size": backbone.resolution,
        }
    else:
        constructor = getattr(keras.applications, backbone.name)
    try:
        with warnings.catch_warnings():
            # MobileNets tell that one file serves all image sizes
            warnings.filterwarnings("ignore", message="`input_shape` is undefined or non-square")
            if backbone.weights == "imagenet":
                with weights.downloading(backbone.name):
                    model = constructor(weights="imagenet", **arguments)
            else:
                model = constructor(weights=None, **arguments)
    except ValueError as error:
        raise ConfigError(
            [
                f"image_size={images.shape[1]} does not suit {backbone.name}: {error}; set "
                f"image_size={backbone.resolution}, the size it was trained at"
            ]
        ) from error
    # given an input_tensor, applications take a list of images
    return keras.Model(model.inputs[0], model.outputs[0], name=model.name)


def stochastic_depth(model: keras.Model) -> tuple[str, ...]:
    """Names of the layers that skip a residual branch while training, from the input up."""
    return tuple(
        layer.name
        for layer in model.layers
        if isinstance(layer, keras.layers.Dropout) and layer.name.endswith("_drop")
    )


def _with_drop_connect_rate(model: keras.Model, rate: float | None, name: str) -> keras.Model:
    """``model``, or a copy of it whose stochastic depth has another rate; weights and names stay.

    A copy, because Keras gives a Dropout layer its random generator when it is made, and none at
    rate 0.
    """
    drops = stochastic_depth(model)
    if rate and not drops:
        raise ConfigError(
            [
                f"drop_connect_rate must be null or 0 with {name}, in which no Dropout layer "
                f"named *_drop was found, got {rate}"
            ]
        )
    rate = lite0.PUBLISHED_DROP_CONNECT_RATE if rate is None else rate
    found = (_BLOCK.match(layer.name) for layer in model.layers)
    blocks = list(dict.fromkeys(match.group() for match in found if match))
    rates = {f"{block}drop": rate * i / len(blocks) for i, block in enumerate(blocks)}
    if all(math.isclose(model.get_layer(drop).rate, rates[drop]) for drop in drops):
        return model

    def copied(layer: keras.Layer) -> keras.Layer:
        settings = layer.get_config()
        if layer.name in drops:
            settings["rate"] = rates[layer.name]
        return type(layer).from_config(settings)

    source = model.input
    images = keras.Input(batch_shape=source.shape, dtype=source.dtype, name=source.name)
    clone = keras.models.clone_model(model, input_tensors=images, clone_function=copied)
    for layer in clone.layers:
        layer.set_weights(model.get_layer(layer.name).get_weights())
        if isinstance(layer, keras.layers.Normalization) and layer.weights:
            layer.finalize_state()
    return clone
