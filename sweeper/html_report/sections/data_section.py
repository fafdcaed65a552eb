"""The data that the trials were trained on: how much of it, what it looks like, what is wrong."""

import json
import shlex
from collections.abc import Iterator, Sequence

from sweeper.html_report.content import StudyContent
from sweeper.html_report.embedded import as_picture
from sweeper.html_report.page_blocks import (
    Block,
    Captioned,
    Cell,
    Commands,
    Fold,
    Gallery,
    Paragraph,
    Section,
    Table,
)
from sweeper.paths import shown_path
from sweeper.pictures.lettering import worded
from sweeper.report.data_counts import DataCounts, read_counts
from sweeper.study_files.trial_paths import TrialPaths

_CLASSES = 20
_SHEETS = {
    "wrong_labels.png": "images whose labels are likely wrong",
    "duplicates.png": "images that are there more than once",
}


def data(content: StudyContent) -> Section | None:
    """What is known of the data; None where nothing is."""
    blocks = list(_blocks(content))
    return Section("data", "Data", blocks) if blocks else None


def _blocks(content: StudyContent) -> Iterator[Block]:
    for text in content.about.data:
        yield Paragraph(text)
    counts = read_counts(content.paths.report_files)
    if counts is not None:
        yield from _counted(counts)
    yield from _samples(content)
    findings = _findings(content)
    if findings is not None:
        yield from _found(content, findings)
    elif content.about.data:
        study = shlex.quote(str(shown_path(content.paths.folder)))
        yield Paragraph("Duplicates, leaks and likely wrong labels have not been looked for.")
        yield Commands([("look for them", f"sweeper report {study} --data")])


def _counted(counts: DataCounts) -> Iterator[Block]:
    names = worded(counts.class_names)
    rows = [
        [
            Cell(name),
            *(Cell(f"{of_class[label]:,}", number=True) for of_class in counts.images.values()),
        ]
        for label, name in enumerate(names)
    ]
    yield _table("Images of each class", ["class", *counts.images], rows, "classes")
    if counts.left_out:
        left_out = [[Cell(image), Cell(reason)] for image, reason in counts.left_out]
        yield _table("Images that were left out", ["image", "reason"], left_out, "images")


def _samples(content: StudyContent) -> Iterator[Block]:
    for trial in (content.best, *content.trials):
        if trial is not None:
            shown = "some training images, with their classes"
            sheet = as_picture(TrialPaths(trial.folder).plots / "samples.png", shown)
            if sheet is not None:
                yield Gallery([Captioned([sheet], ["training images, as trials see them"])], True)
                return


def _findings(content: StudyContent) -> Sequence[tuple[str, str]] | None:
    """What the data doctor found, in a few words each; None where nobody has asked it."""
    try:
        text = (content.paths.data_report / "data.json").read_text(encoding="utf-8")
        return [(str(about), str(words)) for about, words in json.loads(text)["summary"]]
    except (FileNotFoundError, ValueError, KeyError):
        return None


def _found(content: StudyContent, findings: Sequence[tuple[str, str]]) -> Iterator[Block]:
    rows = [[Cell(about), Cell(words)] for about, words in findings]
    yield Table("What was found", ["about", "finding"], rows)
    for file, words in _SHEETS.items():
        sheet = as_picture(content.paths.data_report / file, words)
        if sheet is not None:
            yield Gallery([Captioned([sheet], [words])], True)
    yield Paragraph(
        f"All findings, and a table of labels to correct: {content.paths.data_report.name}/ in the "
        "folder of the study."
    )


def _table(
    caption: str, headers: Sequence[str], rows: Sequence[Sequence[Cell]], what: str
) -> Block:
    whole = Table(caption, headers, rows)
    return Fold(f"{caption}: {len(rows):,} {what}", [whole]) if len(rows) > _CLASSES else whole
