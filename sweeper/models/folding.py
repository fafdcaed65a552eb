"""Networks that run faster than layer by layer: normalization that stands still is folded away.

A BatchNormalization that uses its moving statistics multiplies and shifts each channel. So does a
convolution with other numbers: ``scale * (kernel * x + bias) + shift`` is one with ``scale *
kernel`` and ``scale * bias + shift`` (Jacob et al. 2018, arXiv:1712.05877, section 3.2). The kernel
is folded in each step, and learns through it; TensorFlow then makes convolution, bias and
activation one operation. On two CPU cores EfficientNet-Lite0 at 96 px takes 0.64 of the time
forward, and 0.84 of it for a step that trains every block.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
import tensorflow as tf
from keras.src.models.functional import operation_fn

from sweeper.models.blocks import inputs_of
from sweeper.models.depthwise import depthwise_conv


class Folded(keras.Layer):
    """Runs the functional ``network``; the same function of the same weights but for rounding.

    It has no weights of its own, and none of the network's: ``network`` stays what is built, saved
    and set trainable. With ``fixed_statistics`` each BatchNormalization normalizes by its moving
    statistics in training too; its scale and offset learn where it is trainable.
    """

    def __init__(self, network: keras.Model, fixed_statistics: bool = False) -> None:
        # layers within cast for themselves
        super().__init__(autocast=False, name=f"folded_{network.name}")
        pairs = _pairs(network)
        # behind a function Keras does not see that it has layers, whose weights would be ours too
        self._parts: Callable[[], tuple[Any, Sequence[tuple[Any, Any]]]] = lambda: (network, pairs)
        self._fixed_statistics = fixed_statistics
        # else Keras would trace the network once more, to learn what it makes of shapes
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """What ``network(inputs, training=training)`` gives, but for ``fixed_statistics``."""
        network, pairs = self._parts()
        runs: dict[str, Callable[..., Any]] = {}
        for layer, norm in pairs:
            if not (training and norm.trainable and not self._fixed_statistics):
                runs[layer.name] = partial(_convolve, layer, norm)
                runs[norm.name] = _unchanged

        def run(operation: keras.Operation) -> Callable[..., Any]:
            norm = isinstance(operation, keras.layers.BatchNormalization)
            mode = training and not (norm and self._fixed_statistics)
            return runs.get(operation.name) or operation_fn(operation, training=mode)

        # the way in which Keras runs it, and no public one takes other operations
        outputs = network._run_through_graph(inputs, operation_fn=run)
        return outputs[0] if isinstance(outputs, list) and len(outputs) == 1 else outputs


def _pairs(network: keras.Model) -> list[tuple[Any, Any]]:
    """Convolutions, each with the normalization of what it gives, which nothing else needs."""
    operations = network.operations
    uses = Counter(id(tensor) for operation in operations for tensor in inputs_of(operation))
    uses.update(id(tensor) for tensor in network.outputs)
    makers = {id(layer.output): layer for layer in operations if type(layer) in _FOLDED}
    pairs = []
    for norm in operations:
        if isinstance(norm, keras.layers.BatchNormalization):
            (source,) = inputs_of(norm)
            layer = makers.get(id(source))
            if layer is not None and uses[id(source)] == 1 and _match(layer, norm):
                pairs.append((layer, norm))
    return pairs


def _convolve(layer: Any, norm: Any, images: Any, **_: Any) -> Any:
    scale = tf.math.rsqrt(norm.moving_variance + norm.epsilon)
    if norm.scale:
        scale *= norm.gamma
    shift = -scale * norm.moving_mean
    if norm.center:
        shift += norm.beta
    if layer.use_bias:
        shift += scale * layer.bias
    images = tf.cast(images, layer.compute_dtype)
    found = _FOLDED[type(layer)](layer, images, scale)
    return tf.nn.bias_add(found, tf.cast(shift, layer.compute_dtype))


def _conv(layer: Any, images: Any, scale: Any) -> Any:
    kernel = tf.cast(layer.kernel * scale, layer.compute_dtype)
    return layer.convolution_op(images, kernel)


def _depthwise(layer: Any, images: Any, scale: Any) -> Any:
    kernel = layer.kernel * tf.reshape(scale, layer.kernel.shape[2:])
    return depthwise_conv(images, tf.cast(kernel, layer.compute_dtype), layer)


def _separable(layer: Any, images: Any, scale: Any) -> Any:
    return keras.ops.separable_conv(
        images,
        tf.cast(layer.depthwise_kernel, layer.compute_dtype),
        tf.cast(layer.pointwise_kernel * scale, layer.compute_dtype),
        strides=layer.strides,
        padding=layer.padding,
        dilation_rate=layer.dilation_rate,
    )


_FOLDED: dict[type, Callable[[Any, Any, Any], Any]] = {
    keras.layers.Conv2D: _conv,
    keras.layers.DepthwiseConv2D: _depthwise,
    keras.layers.SeparableConv2D: _separable,
}


def _match(layer: Any, norm: Any) -> bool:
    """Whether ``norm`` does to each channel of what ``layer`` convolves the same, and no more."""
    return (
        layer.activation is keras.activations.linear
        and layer.data_format == "channels_last"
        and norm.axis in (-1, 3)
        and norm.compute_dtype == layer.compute_dtype
    )


def _unchanged(images: Any, **_: Any) -> Any:
    return images
