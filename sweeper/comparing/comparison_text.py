"""Winners side by side, on the screen."""

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from sweeper.comparing.differences import behind, differing_keys
from sweeper.comparing.entrants import TEST, Entrant
from sweeper.display.short_names import short_names
from sweeper.display.wording import brief
from sweeper.html_report.spelled import span_of_time
from sweeper.statistics.intervals import Figure


def table_of(entrants: Sequence[Entrant], what: str) -> Table:
    """``entrants``, the best first, judged on the images ``what`` that all of them predicted."""
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    table.add_column("study")
    for header in ("winner", "accuracy", "95 %", "behind the best by", "log loss", "computed"):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    best = entrants[0]
    for one in entrants:
        found = one.images[what]
        difference = None if one is best else behind(best, one, what)
        table.add_row(
            Text(one.name),
            f"trial {one.trial.number} of {one.trials}",
            f"{found.accuracy.value:.4f}",
            _ends(found.accuracy, ".3f"),
            "" if difference is None else spelled(difference.accuracy),
            f"{found.scores.losses.mean():.4f}",
            span_of_time(one.computed),
            "best" if difference is None else "tied" * difference.tied,
        )
    return table


def keys_of(entrants: Sequence[Entrant]) -> Table:
    """The keys in which their recipes differ."""
    found = differing_keys(entrants)
    names = short_names(found)
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    table.add_column("key")
    for one in entrants:
        table.add_column(Text(one.name), overflow="fold")
    for key, values in found.items():
        searched = any(key in one.searched for one in entrants)
        table.add_row(
            Text(f"{names[key]}{' *' * searched}"), *(Text(shown(value)) for value in values)
        )
    return table


def basis(entrants: Sequence[Entrant], what: str) -> str:
    """By which images they are compared, in a sentence."""
    count = len(entrants[0].images[what].ids)
    if what == TEST:
        return f"Compared on the {count:,} test images, which no search has seen."
    return (
        f"Compared on the {count:,} validation images, by which the winners were chosen: the more "
        "trials a study had, the more its figure flatters it. With a test set "
        "(dataset.test_fraction) they are compared on that."
    )


def spelled(difference: Figure) -> str:
    """``0.0104 (-0.002 to 0.023)``, as shares of images."""
    return f"{difference.value:.4f} ({_ends(difference, '.3f')})"


def shown(value: object) -> str:
    """A value of a recipe where there is little room; a minus where it has none."""
    if isinstance(value, bool | int | float | str):
        return brief(value)
    return "-" if value is None else " ".join(str(value).split())


def _ends(figure: Figure, digits: str) -> str:
    if figure.low is None or figure.high is None:
        return ""
    return f"{figure.low:{digits}} to {figure.high:{digits}}"
