"""What each key of a recipe affects, declared once: beside the key, in the schema.

Hashes, fingerprints and all else that must change with a key, and only then, are made of
:func:`only`, so that no list of keys is kept anywhere else.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import Flag, auto
from typing import Annotated, get_args, get_origin

from pydantic import BaseModel, JsonValue
from pydantic.fields import FieldInfo


class Affects(Flag):
    """What may change when a key does; ``Affects(0)`` is for facts about other keys.

    What a declaration below a group names is narrowed to what the group's own names.
    """

    IMAGES = auto()
    """The images as they enter a network: which, their pixels, order and targets."""
    FEATURES = auto()
    """The numbers that frozen layers give for an image."""
    BACKBONE = auto()
    """The backbone as it is built, before anything trains."""
    FROZEN = auto()
    """What the frozen phase learns, from a given start."""
    UNFROZEN = auto()
    """What the unfrozen phase learns, from a given start."""
    RANKING = auto()
    """By what the trials of a study are compared."""
    RECORD = auto()
    """What is kept of a trial, and under which name."""
    AFTERWARDS = auto()
    """What is done once the search is over; another value is no other study."""
    PLACE = auto()
    """Where a trial runs, is recorded and keeps files: of the machine, not of the study."""


TRAINING = Affects.FROZEN | Affects.UNFROZEN
NOTHING = Affects(0)
ALL = ~NOTHING


def only(group: BaseModel, wanted: Affects) -> dict[str, JsonValue]:
    """The keys of ``group`` that affect any of ``wanted``, as JSON; no group is empty."""
    return _select(group, lambda effects: bool(effects & wanted), ALL, set_only=False)


def without(group: BaseModel, unwanted: Affects) -> dict[str, JsonValue]:
    """The keys of ``group`` that somebody set and that affect none of ``unwanted``, as JSON."""
    return _select(group, lambda effects: not effects & unwanted, ALL, set_only=True)


def _select(
    group: BaseModel, chosen: Callable[[Affects], bool], outer: Affects, set_only: bool
) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {}
    for key, value in group.model_dump(mode="json", exclude_unset=set_only).items():
        own = outer & _declared(type(group), key, outer)
        inner = getattr(group, key)
        if isinstance(inner, BaseModel):
            below = _select(inner, chosen, own, set_only)
            if below:
                found[key] = below
        elif chosen(own):
            found[key] = value
    return found


def declared(schema: type[BaseModel]) -> dict[str, Affects]:
    """What each key below ``schema`` affects, by its dotted name; of a union those of each."""
    return dict(_leaves(schema, "", ALL))


def keys_of(schema: type[BaseModel], wanted: Affects) -> list[str]:
    """Dotted names of the keys of ``schema`` that affect something, and nothing but ``wanted``.

    A group stands for its keys where that holds for all of them.
    """
    leaves = declared(schema)
    chosen = {name for name, effects in leaves.items() if effects and effects in wanted}
    tops = dict.fromkeys(name.partition(".")[0] for name in leaves)
    found: list[str] = []
    for top in tops:
        below = {name for name in leaves if name.partition(".")[0] == top}
        found += [top] if below <= chosen else sorted(below & chosen)
    return found


def check_declarations(schema: type[BaseModel]) -> None:
    """Look that each key below ``schema`` says what it affects.

    Raises:
        TypeError: naming the keys that do not.
    """
    missing = sorted(set(_undeclared(schema, "")))
    if missing:
        raise TypeError(
            f"{', '.join(missing)}: say what the key affects, as in "
            "image_size: Annotated[int, Affects.IMAGES | TRAINING]; see sweeper/config/affects.py"
        )


def _declared(schema: type[BaseModel], key: str, outer: Affects) -> Affects:
    """What ``key`` affects; keywords that ``schema`` leaves to others affect what it does."""
    field = schema.model_fields.get(key)
    own = _own(field) if field is not None else None
    return outer if own is None else own


def _own(field: FieldInfo) -> Affects | None:
    return next((one for one in field.metadata if isinstance(one, Affects)), None)


def _undeclared(schema: type[BaseModel], prefix: str) -> Iterator[str]:
    for key, field in schema.model_fields.items():
        if _own(field) is None:
            below = schemas_of(field)
            if not below:
                yield f"{prefix}{key}"
            for inner in below:
                yield from _undeclared(inner, f"{prefix}{key}.")


def _leaves(schema: type[BaseModel], prefix: str, outer: Affects) -> Iterator[tuple[str, Affects]]:
    for key, field in schema.model_fields.items():
        own = outer & _declared(schema, key, outer)
        below = schemas_of(field)
        if not below:
            yield f"{prefix}{key}", own
        for inner in below:
            yield from _leaves(inner, f"{prefix}{key}.", own)


def schemas_of(field: FieldInfo) -> list[type[BaseModel]]:
    """The groups of keys that may stand under ``field``: several for a union, or none."""
    return list(_schemas(field.annotation))


def _schemas(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) is Annotated:
        yield from _schemas(get_args(annotation)[0])
    elif not isinstance(annotation, type) and get_origin(annotation) not in {list, dict, Mapping}:
        for one in get_args(annotation):
            yield from _schemas(one)
