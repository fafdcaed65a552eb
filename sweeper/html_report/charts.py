"""How all charts look: colours that colour-blind people tell apart, no background, small text."""

import json
from collections.abc import Mapping
from html import escape
from typing import Any

import plotly.graph_objects as go

from sweeper.records import State

BLUE, ORANGE, GREEN, RED, SKY, GREY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#56B4E9",
    "#8A8A8A",
)
"""Of Okabe and Ito (2008), which people with any kind of colour vision tell apart, and a grey."""
STATES: Mapping[str, str] = {
    State.COMPLETE: BLUE,
    State.PRUNED: ORANGE,
    State.FAILED: RED,
    "running": GREEN,
    "interrupted": GREY,
}
SHARES = [[0.0, "#f3f6f9"], [0.01, "#dce9f5"], [0.2, "#7fb3da"], [1.0, "#08457e"]]
"""Colours of shares, from 0 to 1: darker for everyone, and steep where mistakes are few."""
WORSE_TO_BETTER = [[0.0, "rgb(230,159,0)"], [0.5, "rgb(149,137,122)"], [1.0, "rgb(0,114,178)"]]
"""Colours of lines and points that are seen on white and on black."""


def plain(text: str) -> str:
    """``text`` as Plotly shows it: what looks like its few HTML tags stays text."""
    return escape(" ".join(text.split()), quote=False)


def styled(figure: go.Figure, x: str = "", y: str = "") -> go.Figure:
    """``figure`` with the titles of its axes and without what the page itself decides."""
    figure.update_layout(
        template="none",
        title=None,
        width=None,
        height=None,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        font={"size": 12},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
        hoverlabel={"align": "left"},
    )
    if x:
        figure.update_xaxes(title_text=x)
    if y:
        figure.update_yaxes(title_text=y)
    figure.update_xaxes(automargin=True)
    figure.update_yaxes(automargin=True)
    return figure


def as_json(figure: go.Figure) -> str:
    """``figure`` as JSON that may stand in a ``script`` element, whatever its texts are."""
    content: dict[str, Any] = json.loads(figure.to_json())
    content["layout"].pop("template", None)  # the page has one style for all
    text = json.dumps(content, separators=(",", ":"))
    # what could end the element, or begin a comment
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
