"""Learning curves of all trials, through both phases."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import plotly.graph_objects as go

from sweeper.config import HIGHER_IS_BETTER
from sweeper.html_report.charts import BLUE, GREY, STATES, styled
from sweeper.html_report.content import StudyContent, better
from sweeper.html_report.page_blocks import Block, Chart, Paragraph, Section
from sweeper.report.reader import EpochRecord

_SHOWN = {"val_accuracy": "Validation accuracy", "val_loss": "Validation loss", "loss": "Loss"}
"""Metrics that have a chart; ``loss`` is that of training."""
_DIGITS = 5
_POINTS = 40_000
"""Points of all charts together, which 6 MB and a telephone have room for."""


def curves(content: StudyContent) -> Section | None:
    """A chart for each of the metrics that trials have; None before the first epoch has ended."""
    found = content.curves
    if not found:
        return None
    every = sum(len(epochs) for epochs in found.values()) * len(_SHOWN)
    step = max(1, math.ceil(every / _POINTS))
    blocks: list[Block] = [
        _chart(content, metric, title, step)
        for metric, title in _SHOWN.items()
        if any(metric in epoch.metrics for epochs in found.values() for epoch in epochs)
    ]
    if step > 1:
        blocks.append(
            Paragraph(f"Of each curve every {step}th epoch is drawn, its first and its last one.")
        )
    return Section("curves", "Learning curves", blocks)


@dataclass
class _Line:
    """Points of several curves in one trace, with a gap after each curve."""

    x: list[int | None] = field(default_factory=list)
    y: list[float | None] = field(default_factory=list)
    text: list[str | None] = field(default_factory=list)

    def add(self, epochs: Sequence[EpochRecord], metric: str, words: str) -> None:
        for epoch in epochs:
            value = epoch.metrics.get(metric)
            self.x.append(epoch.step)
            self.y.append(_rounded(value))
            self.text.append(words)
        self.x.append(None)
        self.y.append(None)
        self.text.append(None)


def _chart(content: StudyContent, metric: str, title: str, step: int) -> Chart:
    best = content.best.number if content.best is not None else None
    lines = {name: _Line() for name in (*STATES, "best")}
    thawed, cut = _Line(), _Line()
    for trial in content.trials:
        number = trial.about.number
        kind = "best" if number == best else str(trial.status)
        for fold, epochs in _by_fold(content.curves.get(number, ())):
            words = f"trial {number}" + ("" if fold is None else f", fold {fold}")
            drawn = _thinned(epochs, step)
            lines[kind].add(drawn, metric, words)
            thawed.add([one for one in epochs if one.phase == "unfrozen"][:1], metric, words)
            if kind == "pruned":
                cut.add(epochs[-1:], metric, words)
    figure = go.Figure()
    for name, line in lines.items():
        if line.x:
            colour, width = (BLUE, 3.5) if name == "best" else (STATES[name], 1.2)
            figure.add_scatter(
                x=line.x, y=line.y, text=line.text, name=_named(name, best),
                mode="lines+markers" if len(line.x) <= 2 * len(content.trials) else "lines",
                line={"color": colour, "width": width, "dash": _dash(name)},
                opacity=1 if name == "best" else 0.6,
                hovertemplate="%{text}, epoch %{x}: %{y:.4g}<extra></extra>",
            )  # fmt: skip
    for name, marks, symbol, colour in (
        ("unfreezing", thawed, "diamond-open", GREY),
        ("pruned here", cut, "x", STATES["pruned"]),
    ):
        if marks.x:
            figure.add_scatter(
                x=marks.x, y=marks.y, text=marks.text, name=name, mode="markers",
                marker={"symbol": symbol, "size": 7, "color": colour},
                hovertemplate="%{text}, epoch %{x}: %{y:.4g}<extra></extra>",
            )  # fmt: skip
    if metric.endswith("loss") and _spread(lines.values()) > 20:
        figure.update_yaxes(type="log")
    return Chart(title, _says(content, metric), styled(figure, "epoch", metric))


def _named(kind: str, best: int | None) -> str:
    return f"best: trial {best}" if kind == "best" else kind


def _dash(kind: str) -> str:
    """Not by colour alone."""
    return {"pruned": "dash", "failed": "dot", "interrupted": "dot"}.get(kind, "solid")


def _by_fold(
    epochs: Sequence[EpochRecord],
) -> Iterator[tuple[int | None, Sequence[EpochRecord]]]:
    for fold in dict.fromkeys(epoch.fold for epoch in epochs):
        yield fold, [epoch for epoch in epochs if epoch.fold == fold]


def _thinned(epochs: Sequence[EpochRecord], step: int) -> Sequence[EpochRecord]:
    last = len(epochs) - 1
    return [epoch for at, epoch in enumerate(epochs) if at % step == 0 or at == last]


def _rounded(value: float | None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{_DIGITS}g}")


def _spread(lines: Iterable[_Line]) -> float:
    values = [y for line in lines for y in line.y if y is not None and y > 0]
    return max(values) / min(values) if values else 1.0


def _says(content: StudyContent, metric: str) -> str:
    values = [
        (epoch.metrics[metric], number)
        for number, epochs in content.curves.items()
        for epoch in epochs
        if math.isfinite(epoch.metrics.get(metric, math.nan))
    ]
    if not values:
        return "No epoch gave a number."
    higher = HIGHER_IS_BETTER.get(metric, not metric.endswith("loss"))
    value, number = max(values) if higher else min(values)
    word = "highest" if higher else "lowest"
    direction = f" ({better(metric)})" if better(metric) else ""
    return (
        f"{len(content.curves):,} trials; the {word} value of an epoch is {value:.4g}, in trial "
        f"{number}{direction}."
    )
