"""``sweeper report``: all about a study in one HTML file, at any time."""

from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:
    from sweeper.study_files.study_paths import StudyPaths


@click.command("report")
@click.argument("study")
@click.option("--data", "examine", is_flag=True, help="Look for faults of the data too.")
@click.option("--quick", is_flag=True, help="Without what needs TensorFlow, data and network.")
def command(study: str, examine: bool, quick: bool) -> None:
    """Write report.html of a study, running or finished.

    STUDY is its name or its folder: experiments/dogs_b0. The report is in that folder; pictures of
    mistakes are made once a trial is complete. --data adds duplicates, leaks and likely wrong
    labels, as sweeper data finds them.
    """
    from sweeper.disk.writable import unwritable
    from sweeper.errors import ConfigError
    from sweeper.execute.output import only_ours
    from sweeper.report.finding import open_study

    if examine and quick:
        raise ConfigError(["--data looks at the images, so it does not go with --quick"])
    paths = open_study(study).paths
    if reason := unwritable(paths.folder):
        raise ConfigError([reason])
    with only_ours() as (screen, _):
        if not quick:
            _make_material(paths, examine, screen)
        from sweeper.html_report.report_page import write_report

        print(f"report: {write_report(paths.folder)}", file=screen)


def _make_material(paths: "StudyPaths", examine: bool, screen: TextIO) -> None:
    from rich.console import Console

    from sweeper.display.stage_progress import Stages
    from sweeper.records import Advance

    plain = Console(file=screen, highlight=False, markup=False, emoji=False)
    with Stages(plain, "starting TensorFlow, looking for the data") as stages:
        from sweeper.report_material.material import make_material

        def advance(work: str, done: int, total: int) -> None:
            stages.note(Advance(work, done, total))

        faults = make_material(paths, advance, examine=examine)
    for fault in faults:
        plain.print(f"warning: {fault}", soft_wrap=True)
