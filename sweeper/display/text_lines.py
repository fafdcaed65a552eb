"""Lines of a terminal of a given width: cut, folded, or in columns."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text


def cut(line: Text) -> Text:
    """``line`` on one line of the screen, however narrow that is."""
    line = line.copy()
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def folded(parts: Sequence[str], width: int, count: int, indent: int = 0) -> list[Text]:
    """``parts`` on exactly ``count`` lines, none of them broken; the last line may be too long."""
    filled = [""] * count
    at = 0
    for part in parts:
        longer = f"{filled[at]}  {part}" if filled[at] else part
        if filled[at] and indent + cell_len(longer) > width and at < count - 1:
            at, longer = at + 1, part
        filled[at] = longer
    return [Text(" " * indent + line) for line in filled]


def columns(rows: Sequence[Sequence[str]], to_the_right: set[int]) -> list[Text]:
    """Lines of cells below each other, each column as wide as its longest cell."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]

    def padded(index: int, cell: str) -> str:
        blank = " " * (widths[index] - cell_len(cell))
        return blank + cell if index in to_the_right else cell + blank

    return [Text("  ".join(padded(index, cell) for index, cell in enumerate(row))) for row in rows]


def spread(cells: Sequence[RenderableType]) -> Table:
    """``cells`` side by side on one line, whatever their width; an empty one takes none."""
    line = Table.grid(padding=(0, 2))
    filled = [cell for cell in cells if cell]
    for _ in filled:
        line.add_column(no_wrap=True)
    line.add_row(*filled)
    return line
