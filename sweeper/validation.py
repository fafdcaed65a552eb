"""From what Hydra composed to a :class:`~sweeper.config.Recipe`, or every fault at once.

A fault is one sentence: where, what arrived, what to do.
"""

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import TypeAdapter, ValidationError

from sweeper.config import FaultStyle, Recipe, from_scratch
from sweeper.errors import ConfigError

RECIPE = FaultStyle(
    Recipe,
    prefix="",
    whole="the recipe",
    key="a key of the recipe",
    tagged=frozenset({"dataset", "validation", "schedule"}),
    # the keywords of an optimizer are Keras's to know, the names of classes the data's
    opened=frozenset({"optimizer", "class_weight"}),
    advice={
        f"phases.{name}.epochs": f"; to skip the phase set phases.{name}=null"
        for name in ("frozen", "unfrozen")
    },
)


def parse(config: DictConfig) -> Recipe:
    """Turn a composed Hydra configuration, with or without its ``hydra`` node, into a recipe.

    Raises:
        ConfigError: with every fault found, when there is at least one.
    """
    container, faults = _resolve(config)
    try:
        recipe = Recipe.model_validate(from_scratch(container))
    except ValidationError as error:
        raise ConfigError([*faults, *RECIPE.sentences(error, unless=_UNRESOLVED)]) from None
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
