"""What configurations written for hydra-optuna-sweeper say in another way, read as they mean it."""

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from sweeper.config import nearest
from sweeper.config.faults import shown
from sweeper.errors import ConfigError
from sweeper.search.space.syntax import spell, spell_yaml

_KEYS: Mapping[str, frozenset[str]] = {
    "categorical": frozenset({"choices"}),
    "int": frozenset({"low", "high", "step", "log"}),
    "float": frozenset({"low", "high", "step", "log"}),
}
_STORAGES = {
    "RDBStorage": frozenset({"url", "heartbeat_interval"}),
    "JournalStorage": frozenset({"backend", "log_storage"}),
    "InMemoryStorage": frozenset(),
}


_PEER_DEFAULTS: Mapping[str, object] = {
    "consider_prior": True,
    "prior_weight": 1.0,
    "consider_magic_clip": True,
    "consider_endpoints": False,
    "warn_independent_sampling": True,
    "restart_strategy": None,
    "inc_popsize": 2,
}


def without_peer_defaults(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords of a sampler, without what the peer's configurations list and Optuna does anyway.

    Optuna warns of each of them by now.
    """
    return {
        key: value
        for key, value in keywords.items()
        if key not in _PEER_DEFAULTS or value != _PEER_DEFAULTS[key]
    }


def storage_url(where: str, node: Any) -> Any:
    """The address of a storage that is written as a class of Optuna; anything else as it is.

    Raises:
        ConfigError: the class, or one of its keywords, has no counterpart.
    """
    if not isinstance(node, Mapping):
        return node
    name = str(node.get("_target_")).rpartition(".")[2]
    if name not in _STORAGES:
        known = "sqlite:///<file>, journal:///<file>, postgresql+psycopg://... or null"
        raise ConfigError([f"{where} must be an address ({known}), got {dict(node)!r}"])
    given = {key for key, value in node.items() if value is not None and not key.startswith("_")}
    lost = sorted(map(str, given - _STORAGES[name]))
    if lost:
        raise ConfigError(
            [
                f"{where}: {name} is opened by its address only, without {', '.join(lost)}; "
                f"delete {'it' if len(lost) == 1 else 'them'}"
            ]
        )
    if name == "InMemoryStorage":
        return None
    if name == "RDBStorage":
        return node.get("url")
    backend = node.get("backend", node.get("log_storage"))
    path = backend.get("file_path") if isinstance(backend, Mapping) else None
    if not isinstance(path, str):
        raise ConfigError([f"{where}: a journal is a file; set {where}=journal:///<file>"])
    return f"journal:///{path}"


def heartbeat(node: Any) -> Any:
    """``heartbeat_interval`` of a storage that is written as a class, or None."""
    return node.get("heartbeat_interval") if isinstance(node, Mapping) else None


def written_as_params(search_space: Any) -> dict[str, str]:
    """``hydra.sweeper.search_space`` of Hydra 1.1 as ``hydra.sweeper.params`` has it.

    >>> written_as_params({"x": {"type": "float", "low": 1e-4, "high": 0.1, "log": True}})
    {'x': 'tag(log, interval(0.0001, 0.1))'}

    Raises:
        ConfigError: naming every parameter that cannot be read.
    """
    place = "hydra.sweeper.search_space"
    if not isinstance(search_space, Mapping):
        raise ConfigError([f"{place} must be a group of parameters, got {shown(search_space)}"])
    faults: list[str] = []
    params: dict[str, str] = {}
    for key, written in search_space.items():
        where = f"{place}.{key}"
        wrong = list(_faults(where, written))
        faults += wrong
        if not wrong:
            params[str(key)] = _spelled(written)
    if faults:
        raise ConfigError(faults)
    return params


def _faults(where: str, written: Any) -> Iterator[str]:
    if not isinstance(written, Mapping):
        wanted = "a group of keys: type, and choices or low and high"
        yield f"{where} must be {wanted}, got {shown(written)}"
        return
    kind = str(written.get("type"))
    if kind not in _KEYS:
        yield f"{where}.type must be one of {', '.join(_KEYS)}, got {kind!r}"
        return
    for key in written.keys() - _KEYS[kind] - {"type"}:
        if written[key] is not None:
            yield f"{where}.{key} is not a key of type {kind}{nearest(str(key), _KEYS[kind])}"
    if kind == "categorical":
        if not isinstance(written.get("choices"), list) or not written["choices"]:
            yield f"{where}.choices must be a list of values, got {shown(written.get('choices'))}"
        return
    numbers = {"low": True, "high": True, "step": False}
    for key, needed in numbers.items():
        value = written.get(key)
        if (value is not None or needed) and type(value) not in (int, float):
            yield f"{where}.{key} must be a number, got {shown(value)}"
    step: Any = written.get("step")
    number = isinstance(step, int | float)
    if number and (not math.isfinite(step) or step <= 0 or written.get("log")):
        yield f"{where}.step must be > 0, and null with log, got {step}"


def _spelled(written: Mapping[str, Any]) -> str:
    """The entry in Hydra's sweep syntax; the end, which Hydra leaves out of a range, is within."""
    if written["type"] == "categorical":
        values = [_value(value) for value in written["choices"]]
        return ",".join(values) if len(values) > 1 else f"choice({values[0]})"
    whole = written["type"] == "int"
    low, high = (int(n) if whole else n for n in (written["low"], written["high"]))
    if written.get("log") or written.get("step") is None:
        text = f"interval({low}, {high})"
        text = f"int({text})" if whole else text
        return f"tag(log, {text})" if written.get("log") else text
    if whole:
        return f"range({low}, {high + 1}, {int(written['step'])})"
    # decimal: in binary, three steps of 0.3 fall short of 0.9
    start, stop, step = (Decimal(str(number)) for number in (low, high, written["step"]))
    end = start + ((stop - start) // step + Decimal("0.5")) * step
    return f"range({float(low)}, {float(end)}, {float(step)})"


def _value(value: Any) -> str:
    plain = value is None or isinstance(value, bool | int | float | str)
    return spell(value) if plain else spell_yaml(value)
