"""What the data doctor found, on one screen: a few words for each kind of finding."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sweeper.data_doctor.class_sizes import WIDEST, judging_split, least_to_judge
from sweeper.data_doctor.copies import BYTES, CROP, NEAR, PIXELS
from sweeper.data_doctor.examination import Examination, leaking_images
from sweeper.data_doctor.label_issues import LEAST, UNSURE
from sweeper.data_doctor.label_table import LabelTable

_NAMED = 5
_NOTES = 6
Line = tuple[str, str]
"""A heading, empty in a line that continues the one above, and words."""


def summary(found: Examination, pretrained: bool) -> list[Line]:
    """Lines for a person."""
    lines: list[Line] = [("data", found.collection.split_text)]
    lines += [("", f"cannot be split: {fault}") for fault in found.collection.unsplit[:_NOTES]]
    lines += _named("classes", _classes(found))
    lines += _named("images", _images(found))
    lines += _named("left out", _left_out(found))
    lines += _named("notes", _notes(found))
    lines += _named("duplicates", _duplicates(found))
    lines += _named("labels", _labels(found, pretrained))
    return lines


def next_steps(folder: Path, files: Sequence[str], table: LabelTable) -> list[Line]:
    """Where the files are, and how labels are corrected."""
    lines = [("files", f"{folder}: {', '.join(files)}")]
    if table.root is None:
        return [
            *lines,
            (
                "to correct",
                "the images are records, not files: labels.csv says what to look at, but cannot be "
                "read as data; correct the source, or write its images to files for dataset=csv",
            ),
        ]
    words = [
        "dataset=csv",
        f"dataset.path={folder / 'labels.csv'}",
        f"dataset.root={table.root}",
        "dataset.split_column=split",
    ]
    return [
        *lines,
        (
            "to correct",
            "edit the column label of labels.csv, remove rows of duplicates, and train on",
        ),
        ("", shlex.join(words)),
    ]


def _named(name: str, texts: Iterator[str]) -> list[Line]:
    return [("" if number else name, text) for number, text in enumerate(texts)]


def _classes(found: Examination) -> Iterator[str]:
    sizes = sorted(found.sizes, key=lambda one: one.total)
    least, most = sizes[0], sizes[-1]
    yield (
        f"{len(sizes):,}; from {least.total:,} images ('{least.name}') to {most.total:,} "
        f"('{most.name}')"
    )
    split = judging_split(found.collection)
    if split is None:
        yield "whether a class is too small to be judged is not known, since nothing validates"
    elif found.small_classes:
        yield (
            f"{len(found.small_classes):,} of {len(sizes):,} are too small to be judged by "
            f"themselves: fewer than {least_to_judge()} {split} images, so that the 95 % interval "
            f"of a class's accuracy can be wider than {100 * WIDEST:.0f} points: "
            f"{_few(found.small_classes)}"
        )


def _images(found: Examination) -> Iterator[str]:
    files = found.properties
    if files is None:
        yield "nothing is known of the files"
        return
    yield (
        f"{files.width.median:.0f} x {files.height.median:.0f} pixels (medians), widths "
        f"{files.width.least:.0f} to {files.width.most:.0f}, heights {files.height.least:.0f} to "
        f"{files.height.most:.0f}; width by height {files.aspect.least:.2f} to "
        f"{files.aspect.most:.2f}"
    )
    yield f"{_counted(files.formats)}; {_counted(files.channels)}"
    if files.long:
        yield f"{files.long:,} have one side more than twice the other, and change shape as squares"
    if files.small:
        yield f"{files.small:,} are smaller than image_size on one side, and are made larger"
    if files.orientations:
        turned = {f"orientation {number}": n for number, n in files.orientations.items()}
        total = sum(turned.values())
        yield f"EXIF turns or mirrors {total:,}, which is honoured: {_counted(turned)}"
    if files.unread:
        yield f"the headers of {files.unread:,} say nothing that is known here"


def _left_out(found: Examination) -> Iterator[str]:
    if found.undecodable:
        name, reason = found.undecodable[0]
        yield (
            f"{len(found.undecodable):,} cannot be decoded; a sweep stops at them unless "
            f"dataset.on_corrupt=skip; the first: {name} ({reason})"
        )


def _notes(found: Examination) -> Iterator[str]:
    yield from found.notes[:_NOTES]
    if len(found.notes) > _NOTES:
        yield f"and {len(found.notes) - _NOTES:,} more notes in data.json"


def _duplicates(found: Examination) -> Iterator[str]:
    pairs = found.copies.pairs
    if not pairs:
        yield "none found"
        return
    words = {
        BYTES: "the same bytes",
        PIXELS: "the same pixels",
        NEAR: "nearly the same",
        CROP: "a part of the other",
    }
    counts = {text: sum(pair.kind == kind for pair in pairs) for kind, text in words.items()}
    word = "pair" if len(pairs) == 1 else "pairs"
    yield f"{len(pairs):,} {word}: {_counted({text: n for text, n in counts.items() if n})}"
    leaks = leaking_images(found)
    for split, seen in (("validation", "train"), ("test", "train or validation")):
        if split in leaks:
            total = int((found.collection.splits == split).sum())
            yield (
                f"LEAK: {leaks[split]:,} of {total:,} {split} images are, or nearly are, {seen} "
                "images too, so accuracy on them says nothing of new images"
            )
    if "folds" in leaks:
        yield f"LEAK: {leaks['folds']:,} images have a copy in another fold of validation=kfold"
    conflicts = sum(map(found.conflicts, pairs))
    if conflicts:
        have = "pair has" if conflicts == 1 else "pairs have"
        yield f"{conflicts:,} {have} two labels, of which one at least is wrong"


def _labels(found: Examination, pretrained: bool) -> Iterator[str]:
    issues, names = found.issues, found.collection.class_names
    if issues.accuracy is None:
        yield (
            f"cannot be judged: that needs two classes with {LEAST} images each, copies counted "
            "once"
        )
        return
    judged = len(issues.ranked)
    yield (
        f"{int(issues.wrong.sum()):,} of {judged:,} are likely wrong, by heads that have not seen "
        f"the image; these agree with {100 * issues.accuracy:.0f} % of the labels"
    )
    if issues.accuracy < UNSURE:
        yield (
            f"below {100 * UNSURE:.0f} % most of them are classes that the heads cannot tell "
            "apart: trust the order (labels.csv, score), not the number"
        )
    if not pretrained:
        yield "the backbone has random weights, whose features say little: take pretrained ones"
    if issues.unjudged:
        few = [names[label] for label in issues.unjudged]
        yield f"not judged: {len(few):,} classes with fewer than {LEAST} images: {_few(few)}"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def _few(names: Sequence[str]) -> str:
    more = [f"{len(names) - _NAMED:,} more"] if len(names) > _NAMED else []
    return ", ".join([*names[:_NAMED], *more])
