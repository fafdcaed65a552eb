"""``sweeper predict``: classes of images, by the winner of a study or another model."""

import contextlib
import csv
import io
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from sweeper.commands.model_command import model_command

if TYPE_CHECKING:
    from sweeper.saved.classifier import SavedClassifier
    from sweeper.saved.reference import Found
    from sweeper.saved.stream import Predicted

_BATCH = 32
_SHOWN = 3
_SECONDS_BEFORE_BAR = 3.0

Write = Callable[[str, Sequence[tuple[str, float]]], None]
"""Called with a file, its classes and their probabilities, the most probable first."""


@model_command("predict")
@click.argument("images", nargs=-1, required=True)
@click.option("--top", default=_SHOWN, type=click.IntRange(1), help="Classes of each image.")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each image.")
@click.option(
    "--csv",
    "table",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    help="Write a table to this file instead; - for standard output.",
)
@click.option("--batch", default=_BATCH, type=click.IntRange(1), help="Images in one computation.")
def command(
    found: "Found", images: tuple[str, ...], top: int, as_json: bool, table: Path | None, batch: int
) -> int:
    """Predict the classes of images.

    IMAGES are files, folders (their images, at any depth), quoted patterns ('*.png'), or - for
    names on standard input, one a line. The exit code is 1 where an image could not be read.
    """
    if as_json and table is not None:
        raise click.UsageError("--json and --csv exclude each other")
    from sweeper.execute.output import only_ours
    from sweeper.saved.image_files import image_files

    files = list(image_files(images, sys.stdin))
    if not files:
        raise click.UsageError(f"no image in {', '.join(images)}")
    with only_ours() as (screen, errors):
        from sweeper.saved.classifier import SavedClassifier

        classifier = SavedClassifier.load(found.network)
        top = min(top, len(classifier.card.class_names))
        with _writer(screen, as_json, table, top) as write:
            return _predict(classifier, files, batch, write, errors)


def _predict(
    classifier: "SavedClassifier", files: Sequence[str], batch: int, write: Write, errors: TextIO
) -> int:
    from sweeper.saved.stream import predictions

    names = classifier.card.class_names
    began, faults = time.monotonic(), 0
    for one in _shown(predictions(classifier, files, batch), len(files), errors):
        if one.probabilities is None:
            faults += 1
            print(f"{one.file}: {one.fault}", file=errors)
            continue
        order = (-one.probabilities).argsort(kind="stable")
        write(one.file, [(names[k], float(one.probabilities[k])) for k in order])
    seconds = time.monotonic() - began
    print(
        f"{len(files) - faults:,} images in {seconds:.1f} s, {len(files) / seconds:.1f} a second"
        + (f"; {faults:,} could not be read" if faults else ""),
        file=errors,
    )
    return int(faults > 0)


def _shown(results: Iterable["Predicted"], total: int, errors: TextIO) -> Iterator["Predicted"]:
    """The results, with a bar among the errors once it takes a few seconds."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(file=errors)
    bar = Progress(
        BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console, transient=True
    )
    began, task = time.monotonic(), bar.add_task("", total=total, visible=False)
    with bar if console.is_terminal else contextlib.nullcontext():
        for one in results:
            visible = time.monotonic() - began > _SECONDS_BEFORE_BAR
            bar.update(task, advance=1, visible=visible)
            yield one


@contextlib.contextmanager
def _writer(screen: TextIO, as_json: bool, table: Path | None, top: int) -> Iterator[Write]:
    if table is None:
        yield _json_writer(screen, top) if as_json else _line_writer(screen, top)
    elif str(table) == "-":
        yield _csv_writer(screen, top)
    else:
        from sweeper.disk.files import open_aside

        with open_aside(table) as file:
            text = io.TextIOWrapper(file, encoding="utf-8", newline="")
            yield _csv_writer(text, top)
            text.detach()


def _line_writer(out: TextIO, top: int) -> Write:
    def write(file: str, classes: Sequence[tuple[str, float]]) -> None:
        found = "  ".join(f"{name} {probability:.3f}" for name, probability in classes[:top])
        print(f"{file}  {found}", file=out)

    return write


def _json_writer(out: TextIO, top: int) -> Write:
    def write(file: str, classes: Sequence[tuple[str, float]]) -> None:
        found: Any = [{"class": name, "probability": p} for name, p in classes[:top]]
        print(json.dumps({"file": file, "classes": found}, ensure_ascii=False), file=out)

    return write


def _csv_writer(out: TextIO, top: int) -> Write:
    rows = csv.writer(out)
    heads = [f"{what}_{n}" for n in range(1, top + 1) for what in ("class", "probability")]
    rows.writerow(["file", *heads])

    def write(file: str, classes: Sequence[tuple[str, float]]) -> None:
        rows.writerow([file, *(cell for pair in classes[:top] for cell in pair)])

    return write
