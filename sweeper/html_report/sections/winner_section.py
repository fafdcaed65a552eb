"""What the best trial gets wrong, and whether its probabilities can be believed."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from sweeper.html_report.charts import BLUE, GREY, SHARES, plain, styled
from sweeper.html_report.content import StudyContent
from sweeper.html_report.embedded import as_picture
from sweeper.html_report.page_blocks import (
    Block,
    Captioned,
    Cell,
    Chart,
    Fold,
    Gallery,
    Paragraph,
    Section,
    Table,
)
from sweeper.html_report.spelled import interval
from sweeper.pictures.confused_pairs import Pair, most_confused
from sweeper.pictures.lettering import worded
from sweeper.report.mistakes import Mistakes, read_mistakes
from sweeper.saved.metrics import Bin, figures, of_classes, reliability
from sweeper.study_files.predictions import Predictions

_MOST_CLASSES = 40
"""Of a matrix whose cells can be seen."""
_PAIRS = 15
_CLASSES = 15


def winner(content: StudyContent) -> Section | None:
    """About the best trial; None where it has no predictions."""
    found = content.predictions
    if found is None or content.best is None or not len(found.labels):
        return None
    return Section(
        "winner", f"What trial {content.best.number} gets wrong", list(_blocks(content, found))
    )


def _blocks(content: StudyContent, found: Predictions) -> Iterator[Block]:
    probabilities = found.probabilities.astype(np.float32)
    said = probabilities.argmax(axis=1)
    names = worded(found.class_names.tolist())
    counts = np.zeros((len(names), len(names)), np.int64)
    np.add.at(counts, (found.labels, said), 1)
    wrong = int((said != found.labels).sum())
    yield Paragraph(
        f"Of {len(found.labels):,} validation images it takes {wrong:,} for another class. The "
        "trial was chosen by these images, so new ones are harder; only the test is of images that "
        "nothing was chosen by."
    )
    if len(names) <= _MOST_CLASSES:
        yield _matrix(counts, names)
    else:
        yield Paragraph(
            f"A matrix of {len(names):,} classes has no cells that can be seen: the pairs below "
            "say what it would."
        )
    pairs = most_confused(counts)
    if pairs:
        yield _pairs(pairs, names)
        yield _classes(probabilities, found, names)
    yield from _mistakes(content)
    yield _reliability(probabilities, found.labels)


def _matrix(counts: NDArray[np.int64], names: Sequence[str]) -> Chart:
    of = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    shown = [plain(name) for name in names]
    text = [[f"{count:,}" if count else "" for count in row] for row in counts.tolist()]
    figure = go.Figure(
        go.Heatmap(
            z=np.round(counts / of, 4).tolist(), x=shown, y=shown, zmin=0, zmax=1,
            colorscale=SHARES, colorbar={"title": {"text": "share"}, "thickness": 12},
            text=text, texttemplate="%{text}" if len(names) <= 20 else None,
            hovertemplate="is %{y}, taken for %{x}: %{text} images<extra></extra>",
        )
    )  # fmt: skip
    # names that are numbers would make an axis of numbers
    figure.update_xaxes(type="category", tickangle=-45)
    figure.update_yaxes(type="category", autorange="reversed")
    right = int(np.trace(counts))
    says = (
        f"{right:,} of {counts.sum():,} images lie on the diagonal: they are taken for what they "
        "are. Rows are the true class; colours are shares of a row."
    )
    side = 260 + 17 * len(names)
    return Chart(
        "Confusion matrix", says, styled(figure, "taken for", "true class"), min(side, 860),
        min(160 + 14 * len(names), 760) if len(names) > 12 else 0,
    )  # fmt: skip


def _pairs(pairs: Sequence[Pair], names: Sequence[str]) -> Table:
    rows = [
        [Cell(names[pair.true]), Cell(names[pair.predicted]), Cell(f"{pair.count} of {pair.of}")]
        for pair in pairs[:_PAIRS]
    ]
    more = f", the first {_PAIRS} of {len(pairs):,}" if len(pairs) > _PAIRS else ""
    return Table(f"Most confused classes{more}", ["true class", "taken for", "images"], rows)


def _classes(probabilities: NDArray[np.float32], found: Predictions, names: Sequence[str]) -> Block:
    known = [one for one in of_classes(probabilities, found.labels, names) if one.recall]
    known.sort(key=lambda one: one.recall.value if one.recall else 1.0)
    rows = [
        [
            Cell(one.name),
            Cell(f"{one.recall.value:.3f}", number=True),
            Cell(interval(one.recall).removeprefix("95 %: "), number=True),
            Cell(f"{one.images:,}", number=True),
        ]
        for one in known
        if one.recall
    ]
    headers = ["class", "found", "95 %", "images"]
    first = Table("Classes, the worst first: share that is found", headers, rows[:_CLASSES])
    if len(rows) <= _CLASSES:
        return first
    rest = Table("The other classes", headers, rows[_CLASSES:])
    return Fold(f"All {len(rows):,} classes, the worst first", [first, rest])


def _mistakes(content: StudyContent) -> Iterator[Block]:
    assert content.best is not None
    found = read_mistakes(content.paths.report_files)
    if found is None or found.trial != content.best.number or found.study != content.about.study:
        yield Paragraph(
            "Pictures of the worst mistakes are made of the trial's model when the sweep ends."
        )
        return
    if not found.items:
        yield Paragraph("Of the validation images, it takes none for another class.")
        return
    yield Paragraph(
        "Worst mistakes: the images whose true class it thought least likely. "
        + (
            "Beside each, in warm colours, what spoke for its answer (Grad-CAM, Selvaraju et al. "
            "2017)."
            if any(item.heat for item in found.items)
            else ""
        )
    )
    yield Gallery(list(_captioned(content, found)))


def _captioned(content: StudyContent, found: Mistakes) -> Iterator[Captioned]:
    for item in found.items:
        words = f"image {item.image}: is {item.true}, taken for {item.said}"
        files = [(item.picture, words)]
        if item.heat:
            files.append((item.heat, f"where the network looked in image {item.image}"))
        pictures = [
            picture
            for file, text in files
            if (picture := as_picture(content.paths.report_files / file, text)) is not None
        ]
        lines = [f"is {item.true}", f"taken for {item.said} ({item.probability:.0%})", item.image]
        yield Captioned(pictures, lines)


def _reliability(probabilities: NDArray[np.float32], truth: NDArray[np.int64]) -> Chart:
    bins: Sequence[Bin] = reliability(probabilities, truth)
    error = figures(probabilities, truth)["expected_calibration_error"].value
    figure = go.Figure(
        [
            go.Scatter(
                x=[0, 1], y=[0, 1], mode="lines", name="as sure as right",
                line={"color": GREY, "dash": "dash"}, hoverinfo="skip",
            ),
            go.Scatter(
                x=[round(one.confidence, 4) for one in bins],
                y=[round(one.accuracy, 4) for one in bins],
                text=[f"{one.images:,} images" for one in bins],
                marker={"size": [_size(one.images, len(truth)) for one in bins]},
                mode="lines+markers", name="this model", line={"color": BLUE},
                hovertemplate="%{text}: %{x:.2f} sure, %{y:.2f} right<extra></extra>",
            ),
        ]
    )  # fmt: skip
    figure.update_xaxes(range=[0, 1.02])
    figure.update_yaxes(range=[0, 1.02])
    mean_sure = float(probabilities.max(axis=1).mean())
    right = float((probabilities.argmax(axis=1) == truth).mean())
    too = "too sure of itself" if mean_sure > right else "less sure than it could be"
    says = (
        f"It is {mean_sure:.0%} sure on average and right in {right:.0%}: {too}. Expected "
        f"calibration error {error:.3f}; the size of a point is its number of images."
    )
    return Chart("Reliability", says, styled(figure, "probability of its answer", "share right"))


def _size(images: int, total: int) -> float:
    return round(6 + 24 * math.sqrt(images / total), 1)
