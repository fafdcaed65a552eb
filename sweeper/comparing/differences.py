"""In what winners differ: keys of their recipes, and the images that they get right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sweeper.comparing.entrants import Entrant
from sweeper.statistics.comparison import Comparison
from sweeper.statistics.intervals import Figure

_ABSENT = object()


@dataclass(frozen=True, eq=False)
class Behind:
    """By how much the best one is better than another, on the images that both predicted.

    Attributes:
        accuracy: of the best minus that of the other.
        log_loss: of the other minus that of the best, in nats.
        tied: whether the interval of the accuracies holds 0.
    """

    accuracy: Figure
    log_loss: Figure
    tied: bool


def ordered(entrants: Sequence[Entrant], what: str) -> list[Entrant]:
    """``entrants``, the highest accuracy on the images ``what`` first; of equals the lower loss."""
    return sorted(
        entrants,
        key=lambda one: (
            -one.images[what].accuracy.value,
            float(one.images[what].scores.losses.mean()),
        ),
    )


def behind(best: Entrant, other: Entrant, what: str) -> Behind:
    """How ``other`` stands beside ``best``, which predicted the same images."""
    compared = Comparison(best.images[what].scores, other.images[what].scores)
    accuracy, loss = compared.accuracy, compared.log_loss
    flipped = Figure(
        -loss.value,
        None if loss.high is None else -loss.high,
        None if loss.low is None else -loss.low,
    )
    return Behind(accuracy, flipped, accuracy.low is None or accuracy.low <= 0)


def differing_keys(entrants: Sequence[Entrant]) -> Mapping[str, Sequence[object]]:
    """Keys of which recipes hold other values, with that of each; None where one has no such key.

    Those of a part that another recipe does not have at all (another optimizer) are among them.
    """
    keys = dict.fromkeys(key for one in entrants for key in one.recipe)
    found = {}
    for key in keys:
        values = [one.recipe.get(key, _ABSENT) for one in entrants]
        if len({repr(value) for value in values}) > 1:
            found[key] = [None if value is _ABSENT else value for value in values]
    return found
