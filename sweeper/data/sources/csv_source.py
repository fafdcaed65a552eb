"""A table of images: one row each, with the path of a file, its label, and maybe its split."""

import os
import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np

from sweeper.config import Csv
from sweeper.data.sources.csv_table import Row, TableFaults, table_rows
from sweeper.data.sources.data_presence import absent, why_not
from sweeper.data.sources.listing import (
    Listing,
    image_files,
    unequal_classes,
)
from sweeper.data.sources.naming import StoredNames, printable
from sweeper.errors import ConfigError, MissingInput

_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?", re.ASCII)


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
    faults = TableFaults(table)
    rows = list(table_rows(dataset, table, faults))
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
        return any(
            row.role == "validation" for row in table_rows(dataset, table, TableFaults(table))
        )
    except ConfigError:
        return False


def _split(rows: list[Row], table: Path) -> dict[str, list[Row]]:
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


def _find_images(
    rows: Sequence[Row], root: Path, stored: StoredNames, faults: TableFaults
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
