"""``sweeper data``: what is wrong with a data set, before anything trains on it."""

from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from sweeper.commands.recipe_command import composed, recipe_command

if TYPE_CHECKING:
    from sweeper.config import Recipe


@recipe_command("data", required=True)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the report.  [default: data_reports/<data set>]",
)
def command(overrides: tuple[str, ...], out: Path | None) -> None:
    """Find duplicates, leaks, likely wrong labels and odd files of a data set.

    OVERRIDES name a recipe, as for a fine-tune: dataset=folder dataset.path=photos. Its backbone
    and image size compare the images. The report has labels.csv, which a person corrects and
    dataset=csv reads. The data itself is never changed.
    """
    from sweeper.execute.output import only_ours

    recipe = _checked(overrides, out)
    with only_ours() as (screen, _):
        _examine(recipe, out, screen)


def _checked(overrides: tuple[str, ...], out: Path | None) -> "Recipe":
    """The recipe; every fault that can be seen without TensorFlow is raised here."""
    from sweeper.data.sources.data_presence import absent
    from sweeper.disk.writable import unwritable
    from sweeper.errors import Findings
    from sweeper.models.pretrained.weights_presence import absent_file, unreachable_download
    from sweeper.validation import parse, parse_part

    config, found = composed(overrides), Findings()
    with found.collected():
        recipe = parse(config)
    if (dataset := parse_part(config, "dataset")) is not None:
        found.lacks(absent(dataset))
    if (backbone := parse_part(config, "backbone")) is not None:
        found.lacks(absent_file(backbone) or unreachable_download(backbone))
    if reason := unwritable(out or Path("data_reports")):
        found.add([f"--out: {reason}"])
    found.raise_if_any()
    return recipe


def _examine(recipe: "Recipe", out: Path | None, screen: TextIO) -> None:
    from rich.console import Console

    from sweeper.display.stage_progress import Stages
    from sweeper.paths import file_name
    from sweeper.records import Advance

    plain = Console(file=screen, highlight=False, markup=False, emoji=False)
    with Stages(plain, "starting TensorFlow, looking for the data") as stages:
        from sweeper.data.sources.loading import origin
        from sweeper.data_doctor.data_summary import next_steps, summary
        from sweeper.data_doctor.examination import examined
        from sweeper.data_doctor.report_files import write_report

        folder = out or Path("data_reports", file_name(origin(recipe.dataset)[0]))
        with examined(recipe, lambda *advance: stages.note(Advance(*advance))) as found:
            table, files = write_report(found, recipe, folder)
    lines = [
        *summary(found, recipe.backbone.weights is not None),
        *next_steps(folder, files, table),
    ]
    if table.left_out:
        lines.append(("", f"{len(table.left_out):,} images are not in labels.csv: see data.json"))
    for name, text in lines:
        plain.print(f"{name:<11} {text}", soft_wrap=True)
