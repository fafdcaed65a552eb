"""The stages of a fine-tune: each is a phase from a given start, and has a key."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sweeper.config import Affects, Freeze, Phase, Recipe

_LEARNED_IN: Mapping[str, Affects] = {"frozen": Affects.FROZEN, "unfrozen": Affects.UNFROZEN}


@dataclass(frozen=True)
class PlannedPhase:
    """A phase, its name, and what trains in it beside the head."""

    name: str
    phase: Phase
    freeze: Freeze | None


def planned(recipe: Recipe) -> list[PlannedPhase]:
    """The phases of ``recipe``, in order."""
    phases = recipe.phases
    both = (("frozen", phases.frozen, None), ("unfrozen", phases.unfrozen, recipe.freeze))
    return [PlannedPhase(name, phase, freeze) for name, phase, freeze in both if phase is not None]


def stage_keys(recipe: Recipe, start: Sequence[str] = ()) -> dict[str, str]:
    """The key of each phase of ``recipe``, in order: two phases with one key learn the same.

    Args:
        recipe: what is trained.
        start: all else that the first phase depends on: the images, their labels, the version of
            the weights it begins with.
    """
    keys: dict[str, str] = {}
    before = list(start)
    for phase in planned(recipe):
        text = json.dumps([recipe.only(_LEARNED_IN[phase.name]), before])
        keys[phase.name] = hashlib.sha256(text.encode()).hexdigest()
        before = [keys[phase.name]]
    return keys
