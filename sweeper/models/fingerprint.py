"""What the numbers that a network gives depend on, as a word."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import keras

_INERT = frozenset({"rate", "drop_path_rate", "seed", "trainable", "momentum"})
"""Settings of layers that change nothing in inference mode: dropout, the pace of statistics."""


def fingerprint(model: keras.Model) -> str:
    """A word that is another one when ``model`` may give other numbers in inference mode.

    It is made of the operations with their settings, of how they are connected, and of all
    weights. Names, which Keras numbers by what else a process has built, do not count, nor do
    trainable flags and rates of dropout.
    """
    places = {operation.name: place for place, operation in enumerate(model.operations)}
    settings = _plain(model.get_config(), {**places, model.name: -1})
    digest = hashlib.blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=16)
    for weight in model.weights:
        digest.update(f"{weight.shape} {weight.dtype}".encode())
        digest.update(weight.numpy().tobytes())
    return digest.hexdigest()


def _plain(value: Any, places: Mapping[str, int]) -> Any:
    """``value`` as JSON, without what is inert, and with places for names of operations."""
    if isinstance(value, dict):
        inner = {key: _plain(one, places) for key, one in value.items() if key not in _INERT}
        if isinstance(inner.get("name"), str):
            inner["name"] = places.get(inner["name"], -1)
        return inner
    if isinstance(value, list | tuple):
        # a tensor: the operation that makes it, which call of it, which of its outputs
        if len(value) == 3 and isinstance(value[0], str) and value[0] in places:
            return [places[value[0]], *value[1:]]
        return [_plain(one, places) for one in value]
    return value if isinstance(value, str | int | float | None) else str(value)
