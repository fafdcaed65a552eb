"""A network in float32, whatever precision it was trained in: runtimes know few half operations."""

from collections.abc import Mapping
from typing import Any

import keras

_HALF = ("float16", "bfloat16")


def is_half(network: keras.Model) -> bool:
    """Whether some layer of ``network`` computes in half precision."""
    return any(
        is_half(layer) if isinstance(layer, keras.Model) else layer.compute_dtype in _HALF
        for layer in network.layers
    )


def in_float32(network: keras.Model) -> keras.Model:
    """``network`` with the same weights, each layer computing in float32; itself where all do."""
    if not is_half(network):
        return network
    plain = keras.saving.deserialize_keras_object(
        _converted(keras.saving.serialize_keras_object(network))
    )
    plain.set_weights(network.get_weights())
    plain(keras.ops.zeros((1, *plain.input_shape[1:])))  # Keras exports what was called
    return plain


def _converted(part: Any) -> Any:
    """A serialized object without half precision in its dtype policies and tensors."""
    if isinstance(part, Mapping):
        if part.get("class_name") == "DTypePolicy":
            return {**part, "config": {**part["config"], "name": "float32"}}
        return {
            key: "float32" if key == "dtype" and value in _HALF else _converted(value)
            for key, value in part.items()
        }
    if isinstance(part, list | tuple):
        return type(part)(_converted(one) for one in part)
    return part
