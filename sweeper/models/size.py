"""The size of a network: numbers in its weights, and operations of a prediction."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras


@dataclass(frozen=True)
class Size:
    """Numbers in all weights, in those that train, and operations for one image."""

    parameters: int
    trainable_parameters: int
    flops: int

    def __add__(self, other: "Size") -> "Size":
        """Of two networks, one on top of the other."""
        return Size(
            self.parameters + other.parameters,
            self.trainable_parameters + other.trainable_parameters,
            self.flops + other.flops,
        )


def size_of(model: Any) -> Size:
    """The size of ``model``, as its layers are set now; see :func:`flops` for what it may be."""
    return Size(count_parameters(model), count_trainable(model), flops(model))


def count_parameters(model: Any) -> int:
    """Numbers in all weights of ``model``, frozen ones and statistics included."""
    return int(model.count_params())


def count_trainable(model: Any) -> int:
    """Numbers in the weights of ``model`` that train, as its layers are set now."""
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


def flops(model: Any) -> int:
    """Operations of a prediction for one image in the convolutions and dense layers of ``model``.

    A multiplication and the addition that follows count as 2, so it is twice the "multiply-adds" of
    the papers (MobileNetV2, 224 px: 300 million; EfficientNetB0: 390 million). What works on each
    number by itself (activations, normalization, pooling) is left out, as they leave it out.

    TensorFlow's profiler counts part of that, and misses what XLA compiles, such as the grouped
    convolutions of ConvNeXt.

    Args:
        model: of functional parts, with an input of fixed size.

    Raises:
        TypeError: a layer with a matrix of weights is of none of the known kinds.
    """
    return sum(_flops_of(layer) for layer in _leaves(model))


# each number of their kernels meets each position of the output once
_PRODUCTS = (
    keras.layers.Dense,
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)


def _leaves(model: Any) -> Iterator[Any]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        else:
            yield layer


def _flops_of(layer: Any) -> int:
    kernels = [weight for weight in layer.weights if len(weight.shape) > 1]
    if not kernels:
        return 0
    if not isinstance(layer, _PRODUCTS) or isinstance(layer, keras.layers.Conv2DTranspose):
        raise TypeError(
            f"the operations of {layer.name}, a {type(layer).__name__}, cannot be counted"
        )
    numbers: int = sum(math.prod(kernel.shape) for kernel in kernels)
    positions: int = math.prod(layer.output.shape[1:-1])
    return 2 * positions * numbers
