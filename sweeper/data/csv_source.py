"""A table of images: one row each, with the path of a file, its label, and maybe its split."""

import csv
import io
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from sweeper.config import Csv, nearest
from sweeper.data.listing import (
    SPLITS,
    VALIDATION,
    Listing,
    Part,
    image_files,
    shortened,
    unequal_classes,
    why_not,
)
from sweeper.errors import ConfigError, MissingInput

_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?", re.ASCII)


@dataclass(frozen=True)
class _Row:
    line: int
    image: str
    label: str
    split: str


class _Faults:
    """Sentences about lines of a table, the first few of each kind."""

    def __init__(self, table: Path) -> None:
        self._table = table
        self._kinds: dict[str, list[str]] = {}

    def add(self, kind: str, line: int, sentence: str) -> None:
        self._kinds.setdefault(kind, []).append(f"{self._table}, line {line}: {sentence}")

    def raise_if_any(self) -> None:
        if self._kinds:
            found = ((f"lines {kind}", lines) for kind, lines in self._kinds.items())
            raise ConfigError([one for rest, lines in found for one in shortened(lines, rest)])


def listing(dataset: Csv) -> Listing:
    """Read the table: UTF-8, commas, a header; blanks around a cell do not count.

    Rows of a split called validation count as train. Labels that are all numbers are sorted as
    such, others as text.

    Raises:
        MissingInput: there is no table.
        ConfigError: it cannot be read as one, lacks a column, has an empty cell, a split of
            another name, an image twice or one that does not exist, one class only, or other
            classes in train than in test.
    """
    table = dataset.path.expanduser().absolute()
    fault = why_not("file", table)
    if fault:
        raise MissingInput(
            f"dataset.path: {fault}; set dataset.path=<CSV file with a row for each image>, or "
            "dataset=folder for folders of images"
        )
    root = dataset.root.expanduser().absolute() if dataset.root else table.parent
    faults = _Faults(table)
    rows = list(_rows(dataset, table, faults))
    _check_images(rows, root, faults)
    faults.raise_if_any()
    names = _sorted_labels({row.label for row in rows})
    if len(names) < 2:
        only = f"one class only, '{names[0]}'" if names else "no rows"
        raise ConfigError([f"dataset.path: {table} has {only}; two classes are needed"])
    if dataset.split_column is None:
        return Listing(names, (_part(str(table), rows, root, names),))
    parts = _split(rows, table)
    n_validation = sum(row.split in VALIDATION for row in rows)
    notes = [
        f"{n_validation:,} rows of {table} that say validation count as train; validation images "
        "are drawn from both"
    ]
    return Listing(
        names,
        tuple(_part(where, found, root, names) for where, found in parts.items()),
        tuple(notes if n_validation else ()),
    )


def _split(rows: Sequence[_Row], table: Path) -> dict[str, list[_Row]]:
    """The rows of train and test, by what a person calls them."""
    train = [row for row in rows if row.split != "test"]
    test = [row for row in rows if row.split == "test"]
    faults = [
        f"dataset.split_column: {table} has no {split} rows; add some, or set "
        "dataset.split_column=null to draw test from all rows"
        for split, found in (("train", train), ("test", test))
        if not found
    ]
    parts = {f"the train rows of {table}": train, f"the test rows of {table}": test}
    faults = faults or unequal_classes(
        [(where, _sorted_labels({row.label for row in found})) for where, found in parts.items()]
    )
    if faults:
        raise ConfigError(faults)
    return parts


def _rows(dataset: Csv, table: Path, faults: _Faults) -> Iterator[_Row]:
    reader = csv.reader(io.StringIO(_text(table), newline=""), strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        columns = _columns(dataset, table, header)
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                said = f"has {len(cells)} cells, the header has {len(header)}"
                faults.add("of another length", reader.line_num, said)
                continue
            row = {key: cells[place].strip() for key, place in columns.items()}
            if _filled(row, header, columns, reader.line_num, faults):
                yield _Row(reader.line_num, row["image"], row["label"], row.get("split", ""))
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
        return content.decode("utf-8-sig")  # spreadsheets put a mark before the first column
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{table}, line {line}: is not UTF-8; save it as UTF-8"]) from None


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
        faults.append(f"{table} has one column only; cells are parted by commas")
    if faults:
        raise ConfigError(faults)
    return {key: header.index(name) for key, name in wanted.items()}


def _filled(
    row: Mapping[str, str],
    header: Sequence[str],
    columns: Mapping[str, int],
    line: int,
    faults: _Faults,
) -> bool:
    empty = [header[columns[key]] for key, cell in row.items() if not cell]
    for name in empty:
        faults.add("with an empty cell", line, f"the cell of column '{name}' is empty")
    split = row.get("split")
    if split and split not in SPLITS:
        said = f"the split must be train or test, got '{split}'{nearest(split, SPLITS)}"
        faults.add("with such a split", line, said)
        return False
    return not empty


def _check_images(rows: Sequence[_Row], root: Path, faults: _Faults) -> None:
    lines: dict[str, int] = {}
    for row in rows:
        path = _path(row, root)
        if path in lines:
            faults.add("with such an image", row.line, f"{path} is in line {lines[path]} already")
            continue
        lines[path] = row.line
        fault = why_not("file", Path(path))
        if fault:
            faults.add("with such a path", row.line, fault)


def _path(row: _Row, root: Path) -> str:
    return os.path.normpath(root / row.image)


def _sorted_labels(labels: set[str]) -> tuple[str, ...]:
    if all(_NUMBER.fullmatch(label) for label in labels):
        return tuple(sorted(labels, key=lambda label: (Decimal(label), label)))
    return tuple(sorted(labels))


def _part(where: str, rows: Sequence[_Row], root: Path, names: tuple[str, ...]) -> Part:
    number = {name: label for label, name in enumerate(names)}
    paths = [_path(row, root) for row in rows]
    # as in the paths
    above = Path(os.path.normpath(root))
    return image_files(where, above, paths, [number[row.label] for row in rows], names)
