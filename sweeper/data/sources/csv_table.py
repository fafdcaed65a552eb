"""The rows of a table of images, and what is wrong in its lines."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sweeper.config import Csv, nearest
from sweeper.data.sources.listing import shortened
from sweeper.data.sources.naming import Role, composed, role_of
from sweeper.errors import ConfigError

_SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Row:
    """A row: its line, what its cells say, and what it is for where the table says so."""

    line: int
    image: str
    label: str
    role: Role | None


class TableFaults:
    """Sentences about lines of a table, the first few of each kind."""

    def __init__(self, table: Path) -> None:
        self._table = table
        self._kinds: dict[str, list[str]] = {}

    def add(self, kind: str, line: int, sentence: str) -> None:
        """Keep what is wrong in ``line``; ``kind`` ends ``and 7 more lines ...``."""
        self._kinds.setdefault(kind, []).append(f"{self._table}, line {line}: {sentence}")

    def raise_if_any(self) -> None:
        """Raise ConfigError with what was added."""
        if self._kinds:
            found = ((f"lines {kind}", lines) for kind, lines in self._kinds.items())
            raise ConfigError([one for rest, lines in found for one in shortened(lines, rest)])


def table_rows(dataset: Csv, table: Path, faults: TableFaults) -> Iterator[Row]:
    """The rows of ``table`` with nothing wrong in their cells; what is wrong goes to ``faults``.

    Raises:
        ConfigError: it cannot be read, is empty or no UTF-8, or lacks a column.
    """
    reader = csv.reader(io.StringIO(_text(table), newline=""), strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        columns = _columns(dataset, table, header)
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                fault = f"has {len(cells)} cells, the header has {len(header)}"
                faults.add("of another length", reader.line_num, fault)
                continue
            row = {key: cells[place].strip() for key, place in columns.items()}
            if _filled(row, header, columns, reader.line_num, faults):
                role = role_of(row.get("split", ""))
                yield Row(reader.line_num, row["image"], composed(row["label"]), role)
    except csv.Error as error:
        faults.add("that are no CSV", reader.line_num, f"cannot be read as CSV ({error})")


def _text(table: Path) -> str:
    try:
        content = table.read_bytes()
    except OSError as error:
        raise ConfigError([f"{table} cannot be read ({error.strerror})"]) from None
    if not content.strip():
        raise ConfigError([f"dataset.path: {table} is empty; it needs a header and rows"])
    try:
        text = content.decode("utf-8-sig")  # spreadsheets put a mark before the first column
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{table}, line {line}: is not UTF-8; save it as UTF-8"]) from None
    if (place := content.find(b"\0")) >= 0:
        line = content.count(b"\n", 0, place) + 1
        damaged = "holds a NUL, which no text does; the file is damaged, or is no UTF-8"
        raise ConfigError([f"{table}, line {line}: {damaged}; save it as UTF-8"])
    return text


def _columns(dataset: Csv, table: Path, header: Sequence[str]) -> dict[str, int]:
    """Places in a row of ``image``, ``label`` and, where the recipe names one, ``split``."""
    wanted = {
        key: name
        for key in ("image", "label", "split")
        if (name := getattr(dataset, f"{key}_column")) is not None
    }
    faults = []
    for key, name in wanted.items():
        if header.count(name) == 0:
            hint = nearest(name, header) or f"; it has: {', '.join(header)}"
            faults.append(f"dataset.{key}_column: {table} has no column '{name}'{hint}")
        elif header.count(name) > 1:
            faults.append(f"dataset.{key}_column: {table} has two columns '{name}'")
    if faults and len(header) == 1:
        faults.append(f"{table} has one column only; cells are separated by commas")
    if faults:
        raise ConfigError(faults)
    return {key: header.index(name) for key, name in wanted.items()}


def _filled(
    row: Mapping[str, str],
    header: Sequence[str],
    columns: Mapping[str, int],
    line: int,
    faults: TableFaults,
) -> bool:
    empty = [header[columns[key]] for key, cell in row.items() if not cell]
    for name in empty:
        faults.add("with an empty cell", line, f"the cell of column '{name}' is empty")
    split = row.get("split")
    if split and role_of(split) is None:
        fault = (
            f"the split must be train, validation or test, got '{split}'{nearest(split, _SPLITS)}"
        )
        faults.add("with such a split", line, fault)
        return False
    return not empty
