"""All images as a table that a person corrects, and that ``dataset=csv`` reads back."""

import csv
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sweeper.config import Csv, Dataset, Folder
from sweeper.data.sources.naming import StoredNames
from sweeper.data_doctor.collection import Collection
from sweeper.data_doctor.copies import NEAR, Copies
from sweeper.data_doctor.label_issues import LabelIssues

HEADER = ("image", "label", "split", "suggestion", "score", "issue")


@dataclass(frozen=True)
class LabelTable:
    """The table as text.

    Attributes:
        content: UTF-8 CSV.
        root: folder from which its paths start; None where images are no files of their own, so
            that the table cannot be read as a data set.
        left_out: images whose path or class cannot stand in a cell of a table.
    """

    content: str
    root: Path | None
    left_out: tuple[str, ...]


def label_table(
    collection: Collection, dataset: Dataset, copies: Copies, issues: LabelIssues
) -> LabelTable:
    """A row for each image in the order of the data set, with its given label."""
    root = root_of(dataset)
    found = issues_of(collection, copies, issues)
    text = io.StringIO()
    rows = csv.writer(text)  # its line ends have a name with either of them quoted
    rows.writerow(HEADER)
    left_out = []
    order = sorted(range(len(collection)), key=lambda number: tuple(collection.places[number]))
    for number in order:
        image = _path(collection, number, root) if root else collection.identify(number)
        label = collection.label(number)
        if not (_fits(image) and _fits(label)):
            left_out.append(collection.name(number))
            continue
        suggestion, score = "", ""
        if issues.judged[number]:
            score = f"{issues.scores[number]:.4f}"
            other = collection.class_names[issues.suggestions[number]]
            suggestion = other if other != label else ""
        split = str(collection.splits[number])
        rows.writerow([image, label, split, suggestion, score, "; ".join(found.get(number, ()))])
    return LabelTable(text.getvalue(), root, tuple(left_out))


def root_of(dataset: Dataset) -> Path | None:
    """The folder below which the images are; None where they are no files of their own."""
    match dataset:
        case Folder():
            return StoredNames().find(dataset.path.expanduser().absolute())
        case Csv():
            folder = dataset.root or dataset.path.expanduser().absolute().parent
            found = StoredNames().find(folder.expanduser().absolute())
            return Path(os.path.normpath(found))
    return None


def issues_of(
    collection: Collection, copies: Copies, issues: LabelIssues
) -> Mapping[int, Sequence[str]]:
    """What is said of each image that something is said of."""
    found: dict[int, list[str]] = {}
    for number in issues.ranked.tolist():
        if issues.wrong[number]:
            found.setdefault(number, []).append("label likely wrong")
    for pair in copies.pairs:
        for one, other in ((pair.first, pair.second), (pair.second, pair.first)):
            kind = "nearly the same picture" if pair.kind == NEAR else f"{pair.kind} picture"
            kind = pair.kind if pair.kind.startswith("same") else kind
            text = f"{kind} as {collection.identify(other)} ({collection.splits[other]})"
            if collection.labels[one] != collection.labels[other]:
                text += f", which is labelled {collection.label(other)}"
            found.setdefault(one, []).append(text)
    return found


def _path(collection: Collection, number: int, root: Path) -> str:
    assert collection.inspected is not None
    part, position = collection.places[number].tolist()
    path = str(collection.inspected.listing.parts[part].files[position])
    return path.removeprefix(f"{root}{os.sep}")


def _fits(cell: str) -> bool:
    """Whether a cell can say it: UTF-8, no NUL, no blanks at its ends, which do not count there."""
    try:
        cell.encode()
    except UnicodeEncodeError:
        return False
    return bool(cell) and cell.strip() == cell and "\0" not in cell
