"""From what Hydra composed to a :class:`~sweeper.config.Recipe`, or every fault at once.

A fault is one sentence: where, what arrived, what to do.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from sweeper.config import Recipe, from_scratch, nearest
from sweeper.errors import ConfigError

_UNIONS = frozenset({"dataset", "validation", "schedule"})
"""Keys whose options are distinguished by a tag; pydantic makes the tag a step of a location."""


_OPEN = frozenset({"optimizer", "class_weight"})
"""Keys below which stands what only others know."""


def _keys(location: Sequence[int | str]) -> tuple[int | str, ...]:
    """The keys that a person wrote, from the location that pydantic gives a fault."""
    above = (None, *location)
    return tuple(part for part, key in zip(location, above, strict=False) if key not in _UNIONS)


def _below(model: type[BaseModel], key: str) -> list[type[BaseModel]]:
    """Closed models that may stand under ``key`` of ``model``: several for a union, or none."""
    annotation: Any = model.model_fields[key].annotation
    options = getattr(annotation, "__args__", (annotation,))
    return [o for o in options if isinstance(o, type) and issubclass(o, BaseModel)]


def _fields_at(location: Sequence[int | str]) -> set[str]:
    """Keys that may stand under ``location``; empty where it is a leaf or unknown."""
    models: list[type[BaseModel]] = [Recipe]
    for part in map(str, location):
        models = [m for model in models if part in model.model_fields for m in _below(model, part)]
    return {name for model in models for name in model.model_fields}


def unknown_key(dotted: str) -> str | None:
    """A fault when ``dotted`` (``phases.frozen.epochs``) is no key of the recipe, else None.

    The keywords of an optimizer are Keras's to know, the names of classes the data's: they pass.
    """
    parts = dotted.split(".")
    for depth, part in enumerate(parts):
        known = _fields_at(parts[:depth])
        if depth and parts[depth - 1] in _OPEN:
            return None
        if part not in known:
            where = ".".join(parts[: depth + 1])
            return f"{where} is not a key of the recipe{nearest(part, known)}"
    return None


def _wants(kind: str) -> str | None:
    return {
        "int": "a whole number",
        "float": "a number",
        "bool": "true or false",
        "string": "text",
        "path": "a path",
        "model": "a group of keys",
        "dict": "a group of keys",
        "model_attributes": "a group of keys",
    }.get(kind)


_ADVICE: Mapping[str, str] = {
    "phases.frozen.epochs": "; to skip the phase set phases.frozen=null",
    "phases.unfrozen.epochs": "; to skip the phase set phases.unfrozen=null",
}


def _sentence(error: ErrorDetails) -> str:
    """One fault in the form `where must be what, got this; what to do`."""
    location, kind, got = error["loc"], error["type"], error["input"]
    context: Mapping[str, Any] = error.get("ctx", {})
    keys = _keys(location)
    where = ".".join(map(str, keys)) or "the recipe"
    signs: Mapping[str, Callable[[], str]] = {
        "greater_than_equal": lambda: f"must be >= {context['ge']}",
        "greater_than": lambda: f"must be > {context['gt']}",
        "less_than_equal": lambda: f"must be <= {context['le']}",
        "less_than": lambda: f"must be < {context['lt']}",
        "finite_number": lambda: "must be finite",
        "too_short": lambda: f"must name at least {context['min_length']}",
        "list_type": lambda: "must be a list",
        "string_pattern_mismatch": lambda: "may hold letters, digits, '_', '-' and '.' only",
    }
    if kind == "extra_forbidden":
        known = _fields_at(keys[:-1])
        if keys[-1] in known:  # of the chosen option's neighbours
            group, option = ".".join(map(str, keys[:-1])), location[-2]
            return f"{where} is of another option than {group}={option}; leave it out"
        return f"{where} is not a key of the recipe{nearest(str(location[-1]), known)}"
    if kind == "missing":
        return f"{where} is missing; set {where}=<value>"
    if kind == "value_error":
        return f"{where} {context['error']}"
    if kind == "literal_error":
        choices = str(context["expected"])
        hint = nearest(str(got), choices.replace("'", "").replace(" or ", ", ").split(", "))
        return f"{where} must be {choices}, got {got!r}{hint}"
    if kind.startswith("union_tag"):
        key = f"{where}.{str(context['discriminator']).strip(chr(39))}"
        if kind == "union_tag_not_found":
            return f"{key} is missing; choose with {where}=<option>"
        tags = [tag.strip(" '") for tag in str(context["expected_tags"]).split(",")]
        tag = str(context["tag"])
        return f"{key} must be one of {', '.join(tags)}, got {tag!r}{nearest(tag, tags)}"
    if kind in signs:
        return f"{where} {signs[kind]()}, got {got!r}{_ADVICE.get(where, '')}"
    wanted = _wants(kind.rsplit("_", 1)[0])
    if wanted:
        return f"{where} must be {wanted}, got {got!r} ({type(got).__name__})"
    return f"{where}: {error['msg']}, got {got!r}"


def parse(config: DictConfig) -> Recipe:
    """Turn a composed Hydra configuration, with or without its ``hydra`` node, into a recipe.

    Raises:
        ConfigError: with every fault found, when there is at least one.
    """
    container, faults = _resolve(config)
    try:
        recipe = Recipe.model_validate(from_scratch(container))
    except ValidationError as error:
        faults += [
            _sentence(detail) for detail in error.errors() if detail["input"] is not _UNRESOLVED
        ]
        raise ConfigError(faults) from None
    if faults:  # the optimizer's open end lets a value through that has no meaning yet
        raise ConfigError(faults)
    return recipe


def parse_part(config: DictConfig, key: str) -> Any:
    """What stands under ``key`` of a recipe that may have faults elsewhere; None where it has one.

    Nothing is raised: :func:`parse` names the faults.
    """
    plain = from_scratch(_resolve(config)[0]).get(key)
    field = Recipe.model_fields[key]
    try:
        return TypeAdapter(field.rebuild_annotation()).validate_python(plain)
    except ValidationError:
        return None


_UNRESOLVED = object()
"""Stands in a container for a value that has a fault of its own already."""


def _resolve(config: DictConfig) -> tuple[dict[str, Any], list[str]]:
    """Resolve every value on its own, so that one that cannot be hides no other fault."""
    faults: list[str] = []

    def walk(node: DictConfig, prefix: str) -> dict[str, Any]:
        plain: dict[Any, Any] = {}
        for raw in node:
            # YAML makes numbers and truth values of some names of classes
            key = raw if prefix == "loss.class_weight." else str(raw)
            if not prefix and key == "hydra":
                continue
            where = f"{prefix}{key!s}"
            try:
                value = node[raw]
            except OmegaConfBaseException as error:
                text = str(error).splitlines()[0]
                missing = OmegaConf.is_missing(node, raw)
                faults.append(
                    f"{where} is missing; set {where}=<value>" if missing else f"{where}: {text}"
                )
                plain[key] = _UNRESOLVED
                continue
            if isinstance(value, DictConfig):
                plain[key] = walk(value, f"{where}.")
            else:
                plain[key] = OmegaConf.to_object(value) if OmegaConf.is_list(value) else value
        return plain

    return walk(config, ""), faults


def flatten(container: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """``{"a": {"b": 1}}`` to ``{"a.b": 1}``: the names that MLflow's parameters carry."""
    flat: dict[str, Any] = {}
    for key, value in container.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
