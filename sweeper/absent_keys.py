"""Overrides that Hydra refuses because the composed configuration has no such key."""

import re

from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

_NOT_OVERRIDDEN = re.compile(r"Could not override '([^']+)'\.")


def absent_key(error: BaseException) -> str | None:
    """Which key cannot be set and why, None where ``error`` is about something else.

    Hydra itself advises ``+key=...``, which adds a key that nothing reads.
    """
    cause = error.__cause__
    found = _NOT_OVERRIDDEN.match(str(error)) if isinstance(error, HydraException) else None
    if found is None or not isinstance(cause, OmegaConfBaseException):
        return None
    key = found[1]
    missing = cause.full_key or key
    above, _, name = missing.rpartition(".")
    there = cause.parent_node
    names = sorted(str(one) for one in there) if isinstance(there, DictConfig) else []
    if missing != key or not above:
        why = f"the recipe has no {missing}"
    elif names:
        why = f"{above} has no {name} in this recipe, only {', '.join(names)}"
    else:
        why = f"{above} is null in this recipe"
    return f"cannot set {key}: {why}"
