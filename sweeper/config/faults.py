"""Faults of a closed schema in one style: where, what arrived, what to do.

pydantic finds them, all at once; one table says each kind in words.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sweeper.config.affects import schemas_of
from sweeper.config.fields import nearest

_SIGNS: Mapping[str, str] = {
    "greater_than_equal": "must be >= {ge}",
    "greater_than": "must be > {gt}",
    "less_than_equal": "must be <= {le}",
    "less_than": "must be < {lt}",
    "finite_number": "must be finite",
    "too_short": "must name at least {min_length}",
    "string_too_short": "must have at least {min_length} character",
    "string_too_long": "must have at most {max_length} characters",
    "list_type": "must be a list",
    "string_pattern_mismatch": "may hold letters, digits, '_', '-' and '.' only",
}
"""By pydantic's name of a fault what is wanted; its context fills the gaps."""

_KINDS: Mapping[str, str] = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
    "path": "a path",
    "model": "a group of keys",
    "dict": "a group of keys",
    "model_attributes": "a group of keys",
}
"""By pydantic's name of a type what a person would write."""


@dataclass(frozen=True)
class FaultStyle:
    """How the faults of a schema are written for the person who fills it.

    Attributes:
        schema: the closed model.
        prefix: what stands before each key, such as ``hydra.sweeper``; empty for the root.
        whole: what the whole is called.
        key: what a key is called.
        tagged: keys whose options are distinguished by a tag, which pydantic makes a step.
        opened: keys below which stands what only others know.
        advice: by key what else to do.
    """

    schema: type[BaseModel]
    prefix: str
    whole: str
    key: str
    tagged: frozenset[str] = frozenset()
    opened: frozenset[str] = frozenset()
    advice: Mapping[str, str] = field(default_factory=dict)

    def sentences(self, error: ValidationError, unless: object = None) -> list[str]:
        """One for each fault, but for those of the value ``unless``, which has one already."""
        return [
            self._sentence(detail)
            for detail in error.errors()
            if unless is None or detail["input"] is not unless
        ]

    def unknown(self, dotted: str) -> str | None:
        """A fault when ``dotted`` (``phases.frozen.epochs``) is no key, else None."""
        parts = dotted.split(".")
        for depth, part in enumerate(parts):
            if depth and parts[depth - 1] in self.opened:
                return None
            known = self._known(parts[:depth])
            if part not in known:
                return f"{'.'.join(parts[: depth + 1])} is not {self.key}{nearest(part, known)}"
        return None

    def _known(self, keys: tuple[int | str, ...] | list[str]) -> list[str]:
        """Keys that may stand under ``keys``; none where that is a leaf or unknown."""
        models = [self.schema]
        for part in map(str, keys):
            fields = [model.model_fields[part] for model in models if part in model.model_fields]
            models = [below for one in fields for below in schemas_of(one)]
        return list(dict.fromkeys(name for model in models for name in names_of(model)))

    def _where(self, keys: tuple[int | str, ...]) -> str:
        text = self.prefix
        for key in keys:
            text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else str(key)
        return text or self.whole

    def _sentence(self, error: ErrorDetails) -> str:
        location, kind, got = error["loc"], error["type"], error["input"]
        context: Mapping[str, Any] = error.get("ctx", {})
        above = (None, *location)
        keys = tuple(k for k, over in zip(location, above, strict=False) if over not in self.tagged)
        where = self._where(keys)
        if kind == "extra_forbidden":
            return self._extra(keys, location, where)
        if kind == "missing":
            return f"{where} is missing; set {where}=<value>"
        if kind == "value_error":
            return f"{where} {context['error']}"
        if kind == "literal_error":
            choices = str(context["expected"])
            hint = nearest(str(got), choices.replace("'", "").replace(" or ", ", ").split(", "))
            return f"{where} must be {choices}, got {got!r}{hint}"
        if kind.startswith("union_tag"):
            return _tag_fault(kind, where, context)
        if kind in _SIGNS:
            advice = self.advice.get(where, "")
            return f"{where} {_SIGNS[kind].format(**context)}, got {got!r}{advice}"
        wanted = _KINDS.get(kind.rsplit("_", 1)[0])
        if wanted:
            return f"{where} must be {wanted}, got {shown(got)}"
        return f"{where}: {error['msg']}, got {got!r}"

    def _extra(
        self, keys: tuple[int | str, ...], location: tuple[int | str, ...], where: str
    ) -> str:
        known = self._known(keys[:-1])
        if keys[-1] in known:  # of the chosen option's neighbours
            group = self._where(keys[:-1])
            return f"{where} is of another option than {group}={location[-2]}; leave it out"
        hint = nearest(str(keys[-1]), known) or f"; known: {', '.join(known)}"
        return f"{where} is not {self.key}{hint}"


def names_of(schema: type[BaseModel]) -> list[str]:
    """The keys of ``schema`` as a person writes them."""
    return [one.alias or name for name, one in schema.model_fields.items()]


def shown(value: object) -> str:
    """``value`` with its type; null is what YAML calls None."""
    return "null" if value is None else f"{value!r} ({type(value).__name__})"


def _tag_fault(kind: str, where: str, context: Mapping[str, Any]) -> str:
    key = f"{where}.{str(context['discriminator']).strip(chr(39))}"
    if kind == "union_tag_not_found":
        return f"{key} is missing; choose with {where}=<option>"
    tags = [tag.strip(" '") for tag in str(context["expected_tags"]).split(",")]
    tag = str(context["tag"])
    return f"{key} must be one of {', '.join(tags)}, got {tag!r}{nearest(tag, tags)}"
