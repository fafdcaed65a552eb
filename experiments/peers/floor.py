"""The least that a row of ours has to compute, at the speed that `speed.py` measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from plan import ALL_BLOCKS, SWEEPS, Plan
from results import Results


@dataclass(frozen=True)
class Floor:
    """The least seconds of a row, and how many times that its command took."""

    name: str
    seconds: float
    times: float


def floors(results: Results) -> list[Floor]:
    """The least work of each row of ours, where the speed was measured."""
    if not results.floor:
        return []
    (speed,) = results.floor
    found = []
    for row, plan in SWEEPS.items():
        blocks = [fit.unfreeze_blocks or 0 for fit in results.runs[f"{row} ours"][0].fits]
        seconds = least_seconds(plan, speed, blocks)
        found.append(Floor(row, seconds, results.seconds(f"{row} ours") / seconds))
    single = "single_uncached ours"
    seconds = results.epochs(single) * epoch_seconds(speed, ALL_BLOCKS)
    return [*found, Floor("single_uncached", seconds, results.seconds(single) / seconds)]


def least_seconds(plan: Plan, speed: dict[str, Any], blocks: Sequence[int]) -> float:
    """Seconds of the least work of a sweep whose trials unfreeze so many ``blocks`` each.

    One forward pass of the whole network over each view of the training images, the validation and
    the test images, then for each epoch of each trial a training step over every training image
    and a forward pass over validation, of what trains alone.
    """
    images = speed["images"]
    views = min(images["views"], max(plan.epochs))
    once = views * images["train"] + images["validation"] + images["test"]
    seconds = once / speed["forward"]
    for depth in blocks:
        for epochs, trains in zip(plan.epochs, (0, depth), strict=True):
            seconds += epochs * epoch_seconds(speed, trains)
    return seconds


def epoch_seconds(speed: dict[str, Any], blocks: int) -> float:
    """Seconds of the least work of one epoch with so many top ``blocks`` trainable."""
    images, above = speed["images"], speed["above"][str(blocks)]
    return float(images["train"] / above["train"] + images["validation"] / above["forward"])
