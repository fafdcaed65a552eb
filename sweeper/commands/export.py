"""``sweeper export``: a study's winner, or another model, as files for other programs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sweeper.commands.model_command import model_command
from sweeper.export.file_formats import FORMATS

if TYPE_CHECKING:
    from sweeper.export.file_check import Checked
    from sweeper.saved.reference import Found

_COMPARED = 100


class _Formats(click.ParamType[tuple[str, ...]]):
    """Names of formats, with commas between them."""

    name = "formats"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        from sweeper.config import nearest

        names = tuple(dict.fromkeys(part.strip() for part in str(value).split(",")))
        for name in names:
            if name not in FORMATS:
                known = nearest(name, FORMATS) or f"; formats: {', '.join(FORMATS)}"
                self.fail(f"there is no format {name!r}{known}", param, ctx)
        return names


@model_command("export")
@click.option(
    "--format",
    "formats",
    type=_Formats(),
    default="keras",
    show_default=True,
    help=f"With commas between them: {', '.join(FORMATS)}.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the files.  [default: exports/<study>]",
)
@click.option(
    "--images",
    "count",
    type=click.IntRange(1),
    default=_COMPARED,
    show_default=True,
    help="Validation images by which each file is compared.",
)
def command(found: "Found", formats: tuple[str, ...], out: Path | None, count: int) -> None:
    """Write a model as files for other programs.

    Each file is run on validation images and compared with the original: the command fails where
    probabilities differ by more than rounding explains. README.md in the folder says how to feed
    the files. A folder has the files of one model: those of another are removed.
    """
    from sweeper.execute.output import only_ours
    from sweeper.export.exported_folder import ExportedFolder
    from sweeper.export.file_formats import require_packages
    from sweeper.saved.card import read_card

    require_packages(formats)
    card = read_card(found.network)
    folder = ExportedFolder(out or Path("exports") / found.title(card), found.network, formats)

    with only_ours() as (screen, _):
        from sweeper.data.sources import loading
        from sweeper.export.exporting import Pictures, export
        from sweeper.saved.classifier import SavedClassifier

        if folder.of_another:
            print(
                f"{folder.path} has files of another model, which go when the first of this one "
                f"is there: {', '.join(folder.of_another)}",
                file=screen,
            )
        classifier = SavedClassifier.load(found.network)
        for note in loading.prepare(classifier.card.parsed_recipe().dataset):
            print(note, file=screen)

        def on_checked(name: str, checked: "Checked") -> None:
            print(
                f"{name:<15} {checked.megabytes:8.1f} MB {checked.milliseconds:8.1f} ms an image; "
                f"largest difference {checked.largest:.1e}, another class for {checked.changed} of "
                f"{checked.images}",
                file=screen,
            )

        pictures = Pictures.of(classifier, count)
        export(classifier, found.name, formats, folder, pictures, on_checked)
        print(f"files: {folder.path}", file=screen)
