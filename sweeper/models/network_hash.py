"""A hash of all that the numbers which a network gives depend on."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import keras

_INERT = frozenset({"rate", "drop_path_rate", "seed", "trainable", "momentum"})
"""Settings of layers that change nothing in inference mode: dropout, the pace of statistics."""


def fingerprint(model: keras.Model) -> str:
    """A hash that differs when ``model`` may give other numbers in inference mode.

    It is made of the operations with their settings, of how they are connected, and of all
    weights. Names, which Keras numbers by what else a process has built, do not count, nor do
    trainable flags and dropout: networks with a rate of 0 may be built without its layers.
    """
    places: dict[str, int] = {}
    for operation in model.operations:
        passed_on = type(operation) is keras.layers.Dropout
        source = operation.input._keras_history.operation.name if passed_on else None
        places[operation.name] = places[source] if source else len(places)
    config = model.get_config()
    kept = [one for one in config["layers"] if one["class_name"] != "Dropout"]
    order = {place: number for number, place in enumerate(sorted(set(places.values())))}
    numbered = {name: order[place] for name, place in places.items()}
    settings = _plain({**config, "layers": kept}, {**numbered, model.name: -1})
    digest = hashlib.blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=16)
    for weight in model.weights:
        digest.update(f"{weight.shape} {weight.dtype}".encode())
        digest.update(weight.numpy().tobytes())
    return digest.hexdigest()


def _plain(value: Any, places: Mapping[str, int]) -> Any:
    """``value`` as JSON, without what is inert, and with places for names of operations."""
    if isinstance(value, dict):
        inner = {key: _plain(one, places) for key, one in value.items() if key not in _INERT}
        # other names are not counted up, and may matter, such as that of a number format
        if isinstance(inner.get("name"), str):
            inner["name"] = places.get(inner["name"], inner["name"])
        return inner
    if isinstance(value, list | tuple):
        # a tensor: the operation that makes it, which call of it, which of its outputs
        if len(value) == 3 and isinstance(value[0], str) and value[0] in places:
            return [places[value[0]], *value[1:]]
        return [_plain(one, places) for one in value]
    return value if isinstance(value, str | int | float | None) else str(value)
