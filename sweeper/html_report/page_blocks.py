"""What sections of a report are made of; ``templates/blocks.html`` draws each kind.

Texts are plain: the template escapes them, whatever data or recipes are called.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import plotly.graph_objects as go


@dataclass(frozen=True)
class Paragraph:
    """A few sentences; ``strong`` for the one that counts."""

    kind: ClassVar[str] = "paragraph"
    text: str
    strong: bool = False


@dataclass(frozen=True)
class Facts:
    """Numbers with the words for what they are."""

    kind: ClassVar[str] = "facts"
    items: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Span:
    """An interval and the value in it, as parts of the scale that all rows of a table share."""

    low: float
    value: float
    high: float


@dataclass(frozen=True)
class Cell:
    """Text of a table; a ``number`` stands at the right, ``span`` is drawn beside the text.

    ``mark`` names the style of the cell: the state of a trial, ``best`` or ``tied``.
    """

    text: str
    number: bool = False
    mark: str = ""
    span: Span | None = None


@dataclass(frozen=True)
class Table:
    """Rows of cells under headers; the first cell of a row is what the row is about."""

    kind: ClassVar[str] = "table"
    caption: str
    headers: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Chart:
    """A picture that Plotly draws in the browser.

    Attributes:
        title: what it shows.
        says: the same in words, for who cannot see it; shown below it.
        figure: of Plotly, with neither size nor colours of text.
        least_width: in pixels, below which it is scrolled.
    """

    kind: ClassVar[str] = "chart"
    title: str
    says: str
    figure: go.Figure
    height: int = 380
    least_width: int = 0


@dataclass(frozen=True)
class Picture:
    """An image file as a ``data:`` address, with words for who cannot see it."""

    address: str
    words: str


@dataclass(frozen=True)
class Captioned:
    """Pictures side by side that belong together, and lines below them."""

    pictures: Sequence[Picture]
    lines: Sequence[str]


@dataclass(frozen=True)
class Gallery:
    """Many small pictures."""

    kind: ClassVar[str] = "gallery"
    items: Sequence[Captioned]
    wide: bool = False


@dataclass(frozen=True)
class Commands:
    """Lines for a shell, each with what it does."""

    kind: ClassVar[str] = "commands"
    items: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Output:
    """Lines that a program printed."""

    kind: ClassVar[str] = "output"
    title: str
    text: str


@dataclass(frozen=True)
class Fold:
    """What is shown when a person asks for it."""

    kind: ClassVar[str] = "fold"
    title: str
    blocks: "Sequence[Block]"


Block = Paragraph | Facts | Table | Chart | Gallery | Commands | Output | Fold


@dataclass(frozen=True)
class Section:
    """A part of the report under its own heading; ``anchor`` is its address in the page."""

    anchor: str
    title: str
    blocks: Sequence[Block]
