"""The report of a study as one file, which opens anywhere without a network."""

import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sweeper.files import write_aside
from sweeper.html_report.answer import answer
from sweeper.html_report.best_so_far import progress
from sweeper.html_report.charts import as_json
from sweeper.html_report.computation import computation
from sweeper.html_report.content import StudyContent, gather
from sweeper.html_report.data_section import data
from sweeper.html_report.learning_curves import curves
from sweeper.html_report.next_commands import next_commands
from sweeper.html_report.page_blocks import Section
from sweeper.html_report.problems import problems
from sweeper.html_report.search_plots import search
from sweeper.html_report.trials_table import trials_table
from sweeper.html_report.winner_section import winner

SECTIONS: tuple[Callable[[StudyContent], Section | None], ...] = (
    answer,
    trials_table,
    progress,
    curves,
    search,
    computation,
    winner,
    data,
    problems,
    next_commands,
)
"""In the order of the page; one that returns None has nothing to show of this study."""


def write_report(folder: Path) -> Path:
    """Write ``report.html`` of the study in ``folder``, as it stands now; returns its path.

    Raises:
        SweeperError: there is no study in that folder.
        OSError: the disk does not take it.
    """
    content = gather(folder)
    write_aside(content.paths.report, _page(content))
    return content.paths.report


def _page(content: StudyContent) -> str:
    sections = list(_sections(content))
    return (
        _environment()
        .get_template("report.html")
        .render(
            title=content.about.name,
            sections=sections,
            charts=any(block.kind == "chart" for section in sections for block in section.blocks),
        )
    )


def _sections(content: StudyContent) -> Iterator[Section]:
    for make in SECTIONS:
        section = make(content)
        if section is not None:
            yield section


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("sweeper.html_report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"asset": _asset, "plotly": _plotly}
    # what is JSON has no "<" in it
    environment.filters["chart"] = lambda figure: Markup(as_json(figure))
    environment.filters["breakable"] = _breakable
    return environment


def _breakable(header: str) -> Markup:
    """``header`` that may go on in the next line after a dot or an underscore."""
    parts = re.split(r"(?<=[._])", header)
    return Markup("<wbr>").join(parts)


def _asset(name: str) -> Markup:
    """A file of the package, as it is."""
    return Markup((files("sweeper.html_report") / "templates" / name).read_text(encoding="utf-8"))


def _plotly() -> Markup:
    """Plotly's script, which the page holds once."""
    from plotly.offline import get_plotlyjs

    return Markup(get_plotlyjs())
