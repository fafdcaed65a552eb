"""How the best value grew: over time, and over what was computed."""

import math
from collections.abc import Callable, Sequence

import plotly.graph_objects as go

from sweeper.html_report.charts import BLUE, GREY, plain, styled
from sweeper.html_report.content import StudyContent
from sweeper.html_report.page_blocks import Block, Chart, Section
from sweeper.html_report.spelled import in_units, span_of_time
from sweeper.ranking import beats
from sweeper.records import COMPUTED, TrialRow


def progress(content: StudyContent) -> Section | None:
    """Best so far in the first objective; None before a trial is complete."""
    rows = [row for row in content.complete if row.feasible and not math.isnan(row.values[0])]
    if not rows:
        return None
    ended = sorted(rows, key=lambda row: (content.results[row.number].ended, row.number))
    spent = _computed(content)
    blocks: list[Block] = [
        _chart(
            content,
            ended,
            "Best so far over time",
            "since the first trial began",
            lambda row: content.results[row.number].ended - content.started,
        ),
        _chart(
            content,
            ended,
            "Best so far over computation",
            "computed by all trials until then",
            lambda row: spent[row.number],
        ),
    ]
    return Section("progress", "Progress", blocks)


def _computed(content: StudyContent) -> dict[int, float]:
    """Seconds that all trials had computed when each one ended, with what they share."""
    total, found = content.prebuilt, {}
    for number, result in sorted(content.results.items(), key=lambda one: one[1].ended):
        total += result.metrics.get(COMPUTED, 0.0)
        found[number] = total
    return found


def _chart(
    content: StudyContent,
    rows: Sequence[TrialRow],
    title: str,
    of: str,
    place: Callable[[TrialRow], float],
) -> Chart:
    maximize = content.summary.maximize[:1]
    x, unit = in_units([place(row) for row in rows])
    best: list[TrialRow] = []
    for row in rows:
        first = not best or beats(_first(row), _first(best[-1]), maximize)
        best.append(row if first else best[-1])
    words = [f"trial {row.number}" for row in rows]
    figure = go.Figure(
        [
            go.Scatter(
                x=x, y=[row.values[0] for row in rows], mode="markers", name="complete trial",
                marker={"color": GREY, "size": 7}, text=words, hovertemplate="%{text}: %{y:.4g}",
            ),
            go.Scatter(
                x=x, y=[row.values[0] for row in best], mode="lines", name="best so far",
                line={"color": BLUE, "shape": "hv", "width": 3}, hoverinfo="skip",
            ),
        ]
    )  # fmt: skip
    last = best[-1]
    when = span_of_time(max(place(last), 0.0))
    says = (
        f"The best value, {last.values[0]:.4g}, came with trial {last.number} after {when} "
        f"({of}); {len(rows):,} trials are complete."
    )
    return Chart(title, says, styled(figure, f"{unit} {of}", plain(content.objective)))


def _first(row: TrialRow) -> TrialRow:
    """``row`` by its first objective alone."""
    return TrialRow(row.number, row.state, row.values[:1], row.seconds, row.params, row.folder)
