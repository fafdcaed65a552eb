"""Winners side by side, as one HTML page like the report of a study."""

from collections.abc import Sequence
from pathlib import Path

import plotly.graph_objects as go

from sweeper.comparing.comparison_text import basis, shown, spelled
from sweeper.comparing.differences import behind, differing_keys
from sweeper.comparing.entrants import Entrant
from sweeper.disk.files import write_aside
from sweeper.html_report.charts import BLUE, GREEN, GREY, ORANGE, RED, SKY, plain, styled
from sweeper.html_report.page_blocks import Block, Cell, Chart, Paragraph, Section, Table
from sweeper.html_report.rendering import rendered
from sweeper.html_report.spelled import in_units, interval, span_of_time

_COLOURS = (BLUE, ORANGE, GREEN, RED, SKY, GREY)
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")


def write_comparison(entrants: Sequence[Entrant], what: str, file: Path) -> None:
    """Write ``entrants``, the best first, compared on the images ``what``, to ``file``.

    Raises:
        OSError: the disk does not take it.
    """
    sections = [
        Section("winners", "Winners", [Paragraph(_sentence(entrants, what), strong=True),
                                       Paragraph(basis(entrants, what)), _table(entrants, what)]),
        Section("cost", "Accuracy and cost", _charts(entrants, what)),
        Section("recipes", "In what the recipes differ", [_keys(entrants)]),
    ]  # fmt: skip
    write_aside(file, rendered(" and ".join(one.name for one in entrants), sections))


def _sentence(entrants: Sequence[Entrant], what: str) -> str:
    best, *others = entrants
    figure = best.images[what].accuracy
    tied = [one.name for one in others if behind(best, one, what).tied]
    text = f"{best.name} is best: accuracy {figure.value:.4f} ({interval(figure)})"
    if not tied:
        return f"{text}, beyond chance."
    return f"{text}; the difference to {' and '.join(tied)} may be chance."


def _table(entrants: Sequence[Entrant], what: str) -> Table:
    best, rows = entrants[0], []
    for one in entrants:
        found = one.images[what]
        difference = None if one is best else behind(best, one, what)
        word = "best" if difference is None else "tied" * difference.tied
        rows.append(
            [
                Cell(one.name),
                Cell(word, mark=word),
                Cell(f"trial {one.trial.number} of {one.trials}"),
                Cell(f"{found.accuracy.value:.4f}", number=True),
                Cell(interval(found.accuracy).removeprefix("95 %: "), number=True),
                Cell("" if difference is None else spelled(difference.accuracy), number=True),
                Cell(f"{found.scores.losses.mean():.4f}", number=True),
                Cell(span_of_time(one.computed), number=True),
                Cell("" if one.milliseconds is None else f"{one.milliseconds:.2f}", number=True),
            ]
        )
    headers = ["study", "", "winner", "accuracy", "95 %", "behind the best by", "log loss"]
    caption = "Winners, the best first; differences are paired, with their 95 % intervals"
    return Table(caption, [*headers, "computed", "ms an image"], rows)


def _charts(entrants: Sequence[Entrant], what: str) -> list[Block]:
    costs, unit = in_units([one.computed for one in entrants])
    figure = go.Figure()
    for place, (one, cost) in enumerate(zip(entrants, costs, strict=True)):
        found = one.images[what].accuracy
        assert found.low is not None
        assert found.high is not None
        figure.add_scatter(
            x=[cost], y=[found.value], mode="markers", name=plain(one.name),
            marker={"size": 12, "color": _COLOURS[place % len(_COLOURS)]},
            error_y={"array": [found.high - found.value], "arrayminus": [found.value - found.low]},
        )  # fmt: skip
    figure.update_xaxes(rangemode="tozero")
    best, cheapest = entrants[0], min(entrants, key=lambda one: one.computed)
    says = (
        f"{best.name} has the highest accuracy after {span_of_time(best.computed)} of computation; "
        f"{cheapest.name} took the least, {span_of_time(cheapest.computed)}. Bars are 95 % "
        "intervals."
    )
    title = f"Accuracy of the winners on the {what} images over computation"
    blocks: list[Block] = [
        Chart(title, says, styled(figure, f"{unit} computed by all trials", f"{what} accuracy"))
    ]
    if len({one.objective for one in entrants}) == 1:
        blocks.append(_progress(entrants))
    return blocks


def _progress(entrants: Sequence[Entrant]) -> Chart:
    longest = max(one.computed for one in entrants)
    _, unit = in_units([longest])
    figure = go.Figure()
    for place, one in enumerate(entrants):
        spent = in_units([*(cost for cost, _ in one.progress), longest])[0][:-1]
        figure.add_scatter(
            x=spent, y=[value for _, value in one.progress], name=plain(one.name),
            line={"shape": "hv", "color": _COLOURS[place % len(_COLOURS)],
                  "dash": _DASHES[place % len(_DASHES)], "width": 2.5},
            mode="lines+markers",
        )  # fmt: skip
    objective = entrants[0].objective
    says = f"Best {objective} so far of each study, as the search saw it; each point is a trial."
    shown = styled(figure, f"{unit} computed by all trials", plain(objective))
    return Chart("Best so far over computation", says, shown)


def _keys(entrants: Sequence[Entrant]) -> Block:
    found = differing_keys(entrants)
    if not found:
        return Paragraph("The recipes of the winners are the same.")
    rows = []
    for key, values in found.items():
        searched = [one.name for one in entrants if key in one.searched]
        who = "all" if len(searched) == len(entrants) else ", ".join(searched)
        rows.append([Cell(key), *(Cell(shown(value)) for value in values), Cell(who)])
    headers = ["key", *(one.name for one in entrants), "searched by"]
    return Table("Keys of the winners' recipes with other values", headers, rows)
