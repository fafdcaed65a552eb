"""The pairs of classes that a model confuses most, as a table beside a matrix."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweeper.pictures.figures import letter
from sweeper.pictures.lettering import shorten

SHOWN = 20
"""Pairs in the table."""
WIDTH, _LINE = 6.2, 0.24
"""Of the table, and from line to line, in inches."""
_LONGEST = 30
"""Characters of a name."""
_COLUMNS = ((0.13, "right"), (0.16, "left"), (0.59, "left"))
"""Where columns stand, as parts of the width."""


@dataclass(frozen=True)
class Pair:
    """``count`` of ``of`` images of class ``true`` were taken for class ``predicted``."""

    true: int
    predicted: int
    count: int
    of: int


def most_confused(counts: NDArray[np.int64]) -> list[Pair]:
    """Pairs with a mistake, most mistakes first, and of as many those of the smaller class first.

    Args:
        counts: ``[classes, classes]``; rows are the true class, columns the predicted one.
    """
    totals = counts.sum(axis=1)
    wrong = counts - np.diag(np.diag(counts))
    pairs = [
        Pair(true, predicted, int(counts[true, predicted]), int(totals[true]))
        for true, predicted in np.argwhere(wrong).tolist()
    ]
    return sorted(pairs, key=lambda pair: (-pair.count, pair.of, pair.true, pair.predicted))


def draw_pairs(axes: Any, counts: NDArray[np.int64], names: Sequence[str], height: float) -> None:
    """Write the first pairs of :func:`most_confused` on ``axes``, which shows nothing else.

    ``height`` of ``axes`` is in inches.
    """
    axes.set_axis_off()
    axes.set_title("Most confused classes", fontsize=11, loc="left", pad=10)
    pairs = most_confused(counts)

    def write(line: float, *cells: str, **style: str) -> None:
        # each by itself: beside a name that is read from the right, an arrow would turn round
        for cell, (place, align) in zip(cells, _COLUMNS, strict=False):
            made = axes.text(
                place, 1 - line * _LINE / height, cell, transform=axes.transAxes, ha=align,
                va="top", fontsize=9, parse_math=False, **style,
            )  # fmt: skip
            letter(made)

    if not pairs:
        write(0, "", "No class was taken for another")
        return
    write(0, "images", "true class", "predicted class", weight="bold")
    for line, pair in enumerate(pairs[:SHOWN], start=1):
        words = [shorten(names[label], _LONGEST) for label in (pair.true, pair.predicted)]
        write(line + 0.2, f"{pair.count} of {pair.of}", *words)
    if len(pairs) > SHOWN:
        rest = sum(pair.count for pair in pairs[SHOWN:])
        images = "image" if rest == 1 else "images"
        more = f"and {len(pairs) - SHOWN:,} more pairs with {rest:,} {images}"
        write(SHOWN + 1.5, "", more, color="0.3")
