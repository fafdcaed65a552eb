"""What an entry is of: everything that its numbers depend on, and the name that follows from it."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from pydantic import JsonValue

_KIND = r"[a-z][a-z0-9_]*"
NAME = re.compile(rf"{_KIND}-[0-9a-f]{{16}}")
"""What names of entries look like; anything else in the folder is somebody else's."""


@dataclass(frozen=True)
class Key:
    """One computation: ``kind`` says of what sort, ``parts`` all that its result depends on.

    Parts are JSON: the fingerprint of the data, sizes, seeds, and the versions of those libraries
    whose change would change numbers. The order of the parts does not matter; their types do
    (1, 1.0 and True are three keys).

    Raises:
        ValueError: the kind is no lower-case word, or a number is not finite.
        TypeError: a part is not JSON.
    """

    kind: str
    parts: Mapping[str, JsonValue]

    def __post_init__(self) -> None:
        if not re.fullmatch(_KIND, self.kind):
            raise ValueError(f"the kind of a key must match {_KIND}, got {self.kind!r}")
        _check_names(self.parts, self.kind)
        # a copy: what the caller does to its own mapping later must not change the key
        copy = json.loads(json.dumps(dict(self.parts), allow_nan=False))
        object.__setattr__(self, "parts", copy)

    @cached_property
    def name(self) -> str:
        """Kind and hash, such as ``images-3f2a9c0d11e87b54``: the entry's folder."""
        text = json.dumps(self.parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
        digest = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
        return f"{self.kind}-{digest}"


def _check_names(value: object, where: str) -> None:
    """json would write the names 1 and "1" alike: two different keys, one entry."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if not isinstance(name, str):
                raise TypeError(f"{where}: names of parts must be text, got {name!r}")
            _check_names(inner, f"{where}.{name}")
    elif isinstance(value, list | tuple):
        for inner in value:
            _check_names(inner, where)
