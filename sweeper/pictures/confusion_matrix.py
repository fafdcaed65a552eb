"""Which class a model took for which."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sweeper.pictures.confused_pairs import WIDTH, draw_pairs
from sweeper.pictures.figures import (
    letter,
    new_figure,
    write_figure,
)
from sweeper.pictures.lettering import readable, shorten

MOST_COUNTED_CLASSES = 20
"""Up to this many classes the cells of a confusion matrix are wide enough for their counts; beside
a matrix of more stands a table of the most confused pairs."""


def _count(truth: ArrayLike, predicted: ArrayLike, classes: int) -> NDArray[np.int64]:
    """``[classes, classes]`` counts; rows are the true class, columns the predicted one."""
    pair = np.asarray(truth, dtype=np.int64), np.asarray(predicted, dtype=np.int64)
    if pair[0].ndim != 1 or pair[0].shape != pair[1].shape:
        raise ValueError(
            f"truth and predicted must both be [n], got {pair[0].shape} and {pair[1].shape}"
        )
    for name, labels in zip(("truth", "predicted"), pair, strict=True):
        if labels.size and not 0 <= labels.min() <= labels.max() < classes:
            raise ValueError(
                f"{name} must hold indices of {classes} class names, "
                f"got {labels.min()} to {labels.max()}"
            )
    counts = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(counts, pair, 1)
    return counts


@dataclass(frozen=True)
class _Names:
    """Class names along one side of a matrix: as many as fit, evenly thinned; sizes in points."""

    ticks: Sequence[int]
    texts: Sequence[str]
    every: int
    font: float
    length: float
    pitch: float

    @classmethod
    def along(cls, points: float, class_names: Sequence[str]) -> Self:
        pitch = points / len(class_names)
        font = min(9.0, max(6.0, 0.8 * pitch))
        every = math.ceil(1.1 * font / pitch)
        ticks = range(0, len(class_names), every)
        texts = [shorten(class_names[tick], 30) for tick in ticks]
        length = 0.65 * font * max(map(len, texts))
        return cls(ticks, texts, every, font, length, every * pitch)

    def put_on(self, axes: Any) -> None:
        style = {"fontsize": self.font, "parse_math": False}
        turn = 90 if self.length > 0.9 * self.pitch else 0
        axes.set_xticks(self.ticks, self.texts, rotation=turn, **style)
        axes.set_yticks(self.ticks, self.texts, **style)
        for text in (*axes.get_xticklabels(), *axes.get_yticklabels()):
            letter(text)
        note = f" (one name in {self.every} shown)" if self.every > 1 else ""
        axes.set(xlabel=f"predicted class{note}", ylabel=f"true class{note}")


def save_confusion_matrix(
    path: Path, truth: ArrayLike, predicted: ArrayLike, class_names: Sequence[str]
) -> None:
    """Which class was taken for which; a row's colours are shares of that true class.

    Beside a matrix of many classes stand the pairs with the most mistakes.

    Args:
        path: the PNG to write.
        truth: ``[n]`` indices into ``class_names``.
        predicted: ``[n]`` indices into ``class_names``.
        class_names: one or more, in the order of the labels.

    Raises:
        ValueError: when the shapes differ or an index has no class name.
    """
    from matplotlib.colors import PowerNorm

    classes = len(class_names)
    counts = _count(truth, predicted, classes)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(12.0, max(4.0, 0.45 * classes))
    shown = readable(class_names)
    names = _Names.along(72 * side, shown)
    width, height = side + names.length / 72 + 1.7, side + names.length / 72 + 0.9
    with_pairs = classes > MOST_COUNTED_CLASSES
    figure = new_figure(width + WIDTH * with_pairs, height)
    if with_pairs:
        axes, table = figure.subplots(1, 2, width_ratios=(width, WIDTH))
        draw_pairs(table, counts, shown, side)
    else:
        axes = figure.subplots()
    # The square root lets a single mistake among a hundred images be seen.
    norm = PowerNorm(0.5, vmin=0, vmax=1)
    picture = axes.imshow(shares, cmap="Blues", norm=norm)
    figure.colorbar(picture, ax=axes, shrink=0.6, label="share of the true class")
    if classes <= MOST_COUNTED_CLASSES:
        for row, column in zip(*np.nonzero(counts), strict=True):
            axes.text(
                column, row, str(counts[row, column]), ha="center", va="center", fontsize=8,
                color="white" if norm(shares[row, column]) > 0.55 else "black",
            )  # fmt: skip
    names.put_on(axes)
    right, total = int(np.trace(counts)), int(counts.sum())
    text = f"accuracy {right / total:.4f} ({right} of {total} images)" if total else "no images"
    axes.set_title(f"Confusion matrix: {text}", fontsize=11)
    write_figure(figure, path)
