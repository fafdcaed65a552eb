"""Whether winners can be compared: only where they predicted the same images."""

from collections.abc import Iterator, Sequence

import numpy as np

from sweeper.comparing.differences import differing_keys
from sweeper.comparing.entrants import TEST, VALIDATION, Entrant, Images
from sweeper.errors import ConfigError

_DATA = ("dataset", "validation", "seed")
"""Keys of recipes that decide which images are whose."""
_NAMED = 5


def shared_images(entrants: Sequence[Entrant]) -> str:
    """The images by which ``entrants`` are compared: those of the test, where all have one.

    Raises:
        ConfigError: they predicted different images, or such of different classes; says why.
    """
    what = TEST if all(TEST in one.images for one in entrants) else VALIDATION
    first = entrants[0]
    faults = [fault for other in entrants[1:] for fault in _faults(first, other, what)]
    if faults:
        raise ConfigError(faults)
    return what


def _faults(one: Entrant, other: Entrant, what: str) -> Iterator[str]:
    both = f"{one.name} and {other.name} cannot be compared"
    if set(one.class_names) != set(other.class_names):
        ours, theirs = set(one.class_names), set(other.class_names)
        yield f"{both}: other classes, {_some(ours - theirs)} and {_some(theirs - ours)}"
        return
    first, second = one.images[what], other.images[what]
    if np.array_equal(first.ids, second.ids):
        if not np.array_equal(first.truth, second.truth):
            labels = int((first.truth != second.truth).sum())
            yield f"{both}: {labels:,} {what} images have other labels"
        return
    common = len(np.intersect1d(first.ids, second.ids))
    keys = [key for key in differing_keys([one, other]) if key.split(".")[0] in _DATA]
    why = f"; their recipes differ in {', '.join(keys)}" if keys else ""
    yield (
        f"{both}: {one.name} has {_count(first)} {what} images, {other.name} {_count(second)}, and "
        f"{common:,} are in both{why}"
    )


def _count(images: Images) -> str:
    return f"{len(images.ids):,}"


def _some(names: set[str]) -> str:
    shown = sorted(names)[:_NAMED]
    more = f" and {len(names) - len(shown):,} more" if len(names) > len(shown) else ""
    return (", ".join(map(repr, shown)) or "none") + more
