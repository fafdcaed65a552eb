"""Sections as one HTML page, which opens anywhere without a network."""

import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sweeper.html_report.charts import as_json
from sweeper.html_report.page_blocks import Section


def rendered(title: str, sections: Sequence[Section]) -> str:
    """The whole page, with scripts and styles inside it."""
    charts = any(block.kind == "chart" for section in sections for block in section.blocks)
    page = _environment().get_template("report.html")
    return page.render(title=title, sections=sections, charts=charts)


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
    """``header`` that may break after a dot or an underscore."""
    parts = re.split(r"(?<=[._])", header)
    return Markup("<wbr>").join(parts)


def _asset(name: str) -> Markup:
    """A file of the package, as it is."""
    return Markup((files("sweeper.html_report") / "templates" / name).read_text(encoding="utf-8"))


def _plotly() -> Markup:
    """Plotly's script, which the page holds once."""
    from plotly.offline import get_plotlyjs

    return Markup(get_plotlyjs())
