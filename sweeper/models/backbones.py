"""Backbones: networks without their classifier, by public name, ready for images in [0, 255]."""

import warnings
from pathlib import Path
from typing import Any

import keras

from sweeper import config
from sweeper.errors import ConfigError
from sweeper.models import lite0, weights


def build_backbone(
    backbone: config.Backbone, image_size: int, drop_connect_rate: float | None
) -> keras.Model:
    """Flat functional model from images to the last spatial activation.

    Args:
        backbone: which network, its input range and its weights.
        image_size: side of the images in pixels.
        drop_connect_rate: stochastic depth of the deepest block, shallower ones in proportion
            (block i of n: ``rate * i / n``); None keeps the published rate.

    Returns:
        Model named ``backbone.name``, from ``[batch, image_size, image_size, 3]`` float32 in
        [0, 255] to ``[batch, height, width, channels]`` in the compute dtype.

    Raises:
        MissingInput: the weights are not there.
        ConfigError: the weights file does not fit, the images are too small for the network, or
            the network has no stochastic depth to give a rate to.
    """
    images = keras.Input((image_size, image_size, 3), dtype="float32", name="image")
    network = images
    if backbone.input_range == "-1..1":
        network = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="to_minus_one_one")(images)
    if backbone.name == config.LITE0:
        rate = lite0.PUBLISHED_DROP_CONNECT_RATE if drop_connect_rate is None else drop_connect_rate
        model = lite0.efficientnet_lite0(network, rate)
        if backbone.weights == "imagenet":
            lite0.assign_imagenet(model)
    else:
        model = _application(backbone, network)
    if backbone.weights not in {None, "imagenet"}:
        weights.load_file(model, Path(str(backbone.weights)).expanduser(), backbone.name)
    if backbone.name != config.LITE0 and drop_connect_rate is not None:
        model = _with_drop_connect_rate(model, drop_connect_rate, backbone.name)
    return keras.Model(model.input, model.output, name=backbone.name)


def _application(backbone: config.Backbone, images: Any) -> keras.Model:
    """``keras.applications.<name>`` on ``images``, ImageNet weights or random ones."""
    constructor = getattr(keras.applications, backbone.name)
    arguments = {"include_top": False, "input_tensor": images, "input_shape": images.shape[1:]}
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


def _with_drop_connect_rate(model: keras.Model, rate: float, name: str) -> keras.Model:
    """Copy of ``model`` whose stochastic depth has another rate; weights and names stay.

    A copy, because Keras gives a Dropout layer its random generator when it is made, and none at
    rate 0. Networks without stochastic depth are returned as they are at rate 0.
    """

    def drops(layer: keras.Layer) -> bool:
        return isinstance(layer, keras.layers.Dropout) and layer.name.endswith("_drop")

    if not any(map(drops, model.layers)):
        if rate:
            raise ConfigError(
                [
                    f"drop_connect_rate must be null or 0 with {name}, in which no Dropout layer "
                    f"named *_drop was found, got {rate}"
                ]
            )
        return model

    def copied(layer: keras.Layer) -> keras.Layer:
        settings = layer.get_config()
        if drops(layer):
            settings["rate"] *= rate / lite0.PUBLISHED_DROP_CONNECT_RATE
        return type(layer).from_config(settings)

    source = model.input
    images = keras.Input(batch_shape=source.shape, dtype=source.dtype, name=source.name)
    clone = keras.models.clone_model(model, input_tensors=images, clone_function=copied)
    for layer in clone.layers:
        layer.set_weights(model.get_layer(layer.name).get_weights())
        if isinstance(layer, keras.layers.Normalization) and layer.weights:
            layer.finalize_state()
    return clone
