"""Pictures of a trial as PNG files: curves, samples, confusion matrix.

Colours are from Okabe and Ito's palette, which colour-blind eyes tell apart. The picture of the
augmentations is in :mod:`sweeper.train.pictures.preview`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sweeper.train.pictures.confused_pairs import WIDTH, draw_pairs
from sweeper.train.pictures.figures import (
    as_pixels,
    font,
    letter,
    new_figure,
    thumbnail,
    write_above,
    write_figure,
    write_picture,
)
from sweeper.train.pictures.lettering import drawable, readable, shorten, wrap

TRAIN, VALIDATION, REFERENCE = "#0072B2", "#D55E00", "0.45"
GRID = 3
"""Rows and columns of images in one picture."""
_SIDE, _GAP, _FONT, _SPACING = 176, 14, 9, 2
"""Of an image as drawn and around it, of letters (in points), and between lines; else in pixels."""
MOST_COUNTED_CLASSES = 20
"""Up to this many classes the cells of a confusion matrix are wide enough for their counts; beside
a matrix of more stands a table of the most confused pairs."""
_MOST_ACCURATE = 1.02
"""End of an axis: a marker at 1 is to be seen whole."""
_LEAST_RANGE = {"accuracy": 0.1, "loss": 0.2}
"""Of an axis: a change that one image or chance makes shall not look like a cliff."""


_FIRST = 1
"""Number of the epoch that MLflow has as step 0."""


def _draw_metric(
    axes: Any, epochs: Sequence[Mapping[str, float]], metric: str, untrained: float
) -> None:
    counted = np.array([epoch["step"] for epoch in epochs]) + _FIRST
    size = 5 if len(epochs) <= 30 else 2.5
    anything = False
    for key, label, colour, marker in (
        (metric, "train", TRAIN, "o"),
        (f"val_{metric}", "validation", VALIDATION, "s"),
    ):
        values = np.array([epoch[key] for epoch in epochs], dtype=float)
        values[~np.isfinite(values)] = np.nan
        anything |= bool(np.isfinite(values).any())
        axes.plot(counted, values, color=colour, marker=marker, markersize=size, label=label)
    first = counted.min()
    if math.isfinite(untrained):
        first -= 1
        axes.plot(
            first, untrained, color=TRAIN, marker="o", markersize=size, markerfacecolor="white",
            linestyle="none", label="before training",
        )  # fmt: skip
        anything = True
    if not anything:
        axes.text(
            0.5, 0.75, "no finite value", transform=axes.transAxes, ha="center",
            bbox={"facecolor": "white", "edgecolor": "none"},
        )  # fmt: skip
        axes.set_yticks([])
    axes.set(xlabel="epoch", ylabel=metric, xlim=(first - 0.5, counted.max() + 0.5))
    axes.yaxis.set_major_formatter("{x:g}")  # whole numbers, not what to add to "9.8e-1"
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    axes.grid(visible=True, color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _widen(axes: Any, metric: str) -> None:
    """Let the axis span the least range at least, around what it shows; an accuracy ends at 1."""
    low, high = axes.get_ylim()
    lacking = max(0.0, _LEAST_RANGE[metric] - (high - low))
    low, high = low - lacking / 2, high + lacking / 2
    if metric == "accuracy":
        down, up = max(0.0, high - _MOST_ACCURATE), max(0.0, 1 - _MOST_ACCURATE - low)
        low, high = max(1 - _MOST_ACCURATE, low - down), min(_MOST_ACCURATE, high + up)
    axes.set_ylim(low, high)


def _mark_unfreezing(axes: Any, epochs: Sequence[Mapping[str, float]]) -> None:
    """Draw the border between the last frozen and the first unfrozen epoch, if there is one."""
    unfrozen = [epoch["step"] + _FIRST for epoch in epochs if epoch["phase"] == 1]
    if not unfrozen or all(epoch["phase"] == 1 for epoch in epochs):
        return
    border = min(unfrozen) - 0.5
    in_left_half = border < sum(axes.get_xlim()) / 2
    axes.axvline(border, color=REFERENCE, linestyle="--", linewidth=1.2)
    # Above the panel, where no curve can run through it.
    axes.text(
        border, 1.01, "unfrozen from here", transform=axes.get_xaxis_transform(),
        ha="left" if in_left_half else "right", va="bottom", fontsize=9, color="0.3",
    )  # fmt: skip


def save_curves(
    path: Path,
    epochs: Sequence[Mapping[str, float]],
    title: str,
    log_num_classes: float,
    untrained: Mapping[str, float] | None = None,
) -> None:
    """Accuracy and loss of training and validation over the epochs of both phases.

    Args:
        path: the PNG to write.
        epochs: one mapping an epoch with the keys ``step loss accuracy val_loss val_accuracy
            phase``; phase 0 is frozen, 1 unfrozen. What is not finite leaves a gap.
        title: stands above both panels.
        log_num_classes: ln(number of classes) in nats, the loss of an even guess; drawn as a line.
        untrained: ``loss`` and ``accuracy`` before training, a point left of the first epoch, at
            0: epochs are counted from 1, as on the screen.

    Raises:
        ValueError: when ``epochs`` is empty.
    """
    if not epochs:
        raise ValueError("epochs is empty; draw curves after the first epoch has ended")
    figure = new_figure(10.5, 4.4)
    accuracy, loss = figure.subplots(1, 2)
    for axes, metric in ((accuracy, "accuracy"), (loss, "loss")):
        _draw_metric(axes, epochs, metric, (untrained or {}).get(metric, math.nan))
        _mark_unfreezing(axes, epochs)
    loss.axhline(log_num_classes, color=REFERENCE, linestyle=":", linewidth=1.2)
    loss.text(
        1.01, log_num_classes, f"even guess\nln {math.exp(log_num_classes):.0f}"
        f" = {log_num_classes:.2f}", transform=loss.get_yaxis_transform(),
        va="center", fontsize=8, color="0.3",
    )  # fmt: skip
    _widen(accuracy, "accuracy")
    _widen(loss, "loss")
    letter(figure.suptitle(wrap(drawable(title), 90), parse_math=False, fontsize=11))
    figure.legend(*accuracy.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    write_figure(figure, path)


def save_samples(
    path: Path, images: ArrayLike, labels: ArrayLike, class_names: Sequence[str]
) -> None:
    """Up to nine images with their class names.

    Args:
        path: the PNG to write.
        images: ``[n, height, width, 3]``, any number type, values in [0, 255].
        labels: ``[n]`` indices into ``class_names``.
        class_names: in the order of the labels.

    Raises:
        ValueError: when ``images`` has another shape, none is there, or a label is missing.
    """
    from PIL import Image, ImageDraw

    pixels = as_pixels(images)[: GRID**2]
    shown = np.asarray(labels)[: len(pixels)]
    names = readable(class_names)
    tiles = [
        (thumbnail(image, _SIDE), wrap(names[int(label)], 22))
        for image, label in zip(pixels, shown, strict=True)
    ]
    rows = [tiles[start : start + GRID] for start in range(0, len(tiles), GRID)]
    line = sum(font(_FONT).getmetrics()) + _SPACING
    above = [line * (1 + max(name.count("\n") for _, name in row)) for row in rows]
    size = GRID * (_SIDE + _GAP) + _GAP, sum(above) + len(rows) * (_SIDE + _GAP) + _GAP
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    top = _GAP // 2
    for row, height in zip(rows, above, strict=True):
        for column, (image, name) in enumerate(row):
            left = _GAP + column * (_SIDE + _GAP)
            place = left + _SIDE // 2, top + height
            write_above(draw, place, name, _FONT, _SPACING)
            picture.paste(image, (left + (_SIDE - image.width) // 2, top + height))
        top += height + _SIDE + _GAP
    write_picture(picture, path)


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
