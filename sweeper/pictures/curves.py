"""Accuracy and loss over the epochs of a trial.

Colours are from Okabe and Ito's palette, which colour-blind eyes tell apart.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sweeper.pictures.figures import (
    letter,
    new_figure,
    write_figure,
)
from sweeper.pictures.lettering import drawable, wrap

TRAIN, VALIDATION, REFERENCE = "#0072B2", "#D55E00", "0.45"
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
