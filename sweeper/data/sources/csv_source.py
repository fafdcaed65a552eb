"""A table of images: one row each, with the path of a file, its label, and maybe its split."""

import csv
import io
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np

from sweeper.config import Csv, nearest
from sweeper.data.sources.data_presence import absent, why_not
from sweeper.data.sources.listing import (
    Listing,
    image_files,
    shortened,
    unequal_classes,
)
from sweeper.data.sources.naming import Role, StoredNames, composed, printable, role_of
from sweeper.errors import ConfigError, MissingInput

_SPLITS = ("train", "validation", "test")
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?", re.ASCII)


@dataclass(frozen=True)
class _Row:
    """A row: its line, what its cells say, and what it is for where the table says so."""

    line: int
    image: str
    label: str
    role: Role | None


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

    Labels are compared in the composed Unicode form. Those that are all numbers are sorted as
    such, others as text.

    Raises:
        MissingInput: there is no table.
        ConfigError: it cannot be read as one, lacks a column, has an empty cell, a split of
            another name, an image twice or one that does not exist, one class only, or other
            classes in train than in test.
    """
    if lacks := absent(dataset):
        raise MissingInput(lacks)
    stored = StoredNames()
    table = stored.find(dataset.path.expanduser().absolute())
    root = stored.find(dataset.root.expanduser().absolute()) if dataset.root else table.parent
    faults = _Faults(table)
    rows = list(_rows(dataset, table, faults))
    paths = _find_images(rows, root, stored, faults)
    faults.raise_if_any()
    names = _sorted_labels({row.label for row in rows})
    if len(names) < 2:
        only = f"one class only, '{names[0]}'" if names else "no rows"
        raise ConfigError([f"dataset.path: {table} has {only}; two classes are needed"])
    parts = _split(rows, table) if dataset.split_column else {str(table): rows}
    number = {name: label for label, name in enumerate(names)}
    # as in the paths
    above = Path(os.path.normpath(root))
    made = tuple(
        image_files(
            where,
            above,
            (paths[row.line] for row in found),
            np.array([number[row.label] for row in found], np.int64),
            names,
            dataset.max_pixels,
        )
        for where, found in parts.items()
    )
    trains = next(iter(parts.values()))
    validation = np.array([row.role == "validation" for row in trains])
    return Listing(names, made, np.flatnonzero(validation))


def has_validation(dataset: Csv) -> bool:
    """Whether there are rows to validate by; false where the table cannot be read."""
    table = StoredNames().find(dataset.path.expanduser().absolute())
    if dataset.split_column is None:
        return False
    try:
        return any(row.role == "validation" for row in _rows(dataset, table, _Faults(table)))
    except ConfigError:
        return False


def _split(rows: list[_Row], table: Path) -> dict[str, list[_Row]]:
    """Rows that train or validate, and those that test, by what a person calls them."""
    train = [row for row in rows if row.role != "test"]
    test = [row for row in rows if row.role == "test"]
    if not any(row.role == "train" for row in rows):
        raise ConfigError(
            [
                f"dataset.split_column: {table} has no train rows; add some, or set "
                "dataset.split_column=null to draw test from all rows"
            ]
        )
    parts = {f"the train rows of {table}": train}
    if test:
        parts[f"the test rows of {table}"] = test
        faults = unequal_classes(
            [
                (where, _sorted_labels({row.label for row in found}))
                for where, found in parts.items()
            ]
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
                fault = f"has {len(cells)} cells, the header has {len(header)}"
                faults.add("of another length", reader.line_num, fault)
                continue
            row = {key: cells[place].strip() for key, place in columns.items()}
            if _filled(row, header, columns, reader.line_num, faults):
                role = role_of(row.get("split", ""))
                yield _Row(reader.line_num, row["image"], composed(row["label"]), role)
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
    faults: _Faults,
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


def _find_images(
    rows: Sequence[_Row], root: Path, stored: StoredNames, faults: _Faults
) -> dict[int, str]:
    """Where the image of each line is: below ``root``, since a table may come from a stranger."""
    lines: dict[str, int] = {}
    above = Path(os.path.normpath(root))
    for row in rows:
        path = Path(os.path.normpath(root / row.image))
        fault = why_not("file", path)
        if fault:  # it may be there in another Unicode form
            path = Path(os.path.normpath(stored.find(root / row.image)))
            fault = why_not("file", path)
        if not path.is_relative_to(above):
            fault = (
                f"{printable(row.image)} leads out of {printable(above)}; set dataset.root to a "
                "folder that holds all images"
            )
            faults.add("with such a path", row.line, fault)
            continue
        if str(path) in lines:
            fault = f"{printable(path)} is in line {lines[str(path)]} already"
            faults.add("with such an image", row.line, fault)
            continue
        lines[str(path)] = row.line
        if fault:
            faults.add("with such a path", row.line, f"{fault}{stored.hint(path)}")
    return {line: path for path, line in lines.items()}


def _sorted_labels(labels: set[str]) -> tuple[str, ...]:
    if all(_NUMBER.fullmatch(label) for label in labels):
        return tuple(sorted(labels, key=lambda label: (Decimal(label), label)))
    return tuple(sorted(labels))
