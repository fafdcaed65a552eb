"""Text for MLflow's descriptions, which it shows as Markdown."""

from collections.abc import Iterable, Mapping, Sequence


def code(text: object) -> str:
    """``text`` as Markdown shows it letter by letter, in a table too."""
    plain = " ".join(str(text).split()).replace("|", "\\|")
    fence = "``" if "`" in plain else "`"
    return f"{fence} {plain} {fence}" if "`" in plain else f"{fence}{plain}{fence}"


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown themselves; MLflow's page leaves no room between them."""
    wide = [[f"{cell} &nbsp;" for cell in cells] for cells in (headers, *rows)]
    lines = [wide[0], ["---"] * len(headers), *wide[1:]]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def code_table(left: str, right: str, rows: Mapping[str, str]) -> list[str]:
    """One table of two columns of code; nothing where there are no ``rows``."""
    cells = [(code(key), code(value)) for key, value in rows.items()]
    return [table([left, right], cells)] if cells else []
