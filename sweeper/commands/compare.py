"""``sweeper compare``: the winners of several studies, on the images that all of them predicted."""

from pathlib import Path

import click


@click.command("compare")
@click.argument("studies", nargs=-1, required=True, metavar="STUDY STUDY...")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The HTML page.  [default: comparisons/<studies>.html]",
)
def command(studies: tuple[str, ...], out: Path | None) -> None:
    """Set the winners of studies side by side: accuracy, intervals, paired differences, cost.

    STUDY is the name or the folder of a study. They are compared on test images, where all winners
    have been tested on the same ones, else on the same validation images; studies of other data or
    another split are refused.
    """
    from sweeper.comparing.comparability import shared_images
    from sweeper.comparing.comparison_text import basis, keys_of, table_of
    from sweeper.comparing.differences import differing_keys, ordered
    from sweeper.comparing.entrants import Entrant, entrant
    from sweeper.disk.writable import unwritable_file
    from sweeper.display.console import open_console
    from sweeper.errors import Findings
    from sweeper.paths import file_name
    from sweeper.report.finding import open_study

    found, entrants = Findings(), list[Entrant]()
    names = list(dict.fromkeys(studies))
    if len(names) < 2:
        found.add([f"a comparison needs two studies, got {' '.join(studies)}"])
    for name in names:
        with found.collected():
            entrants.append(entrant(open_study(name), name))
    file = out or Path("comparisons", f"{file_name('-'.join(map(_last, names)))}.html")
    if reason := unwritable_file(file):
        found.add([f"--out: {reason}"])
    found.raise_if_any()
    what = shared_images(entrants)
    entrants = ordered(entrants, what)

    from sweeper.comparing.comparison_page import write_comparison

    write_comparison(entrants, what, file)
    console = open_console()
    console.print(basis(entrants, what), soft_wrap=True)
    console.print(table_of(entrants, what), soft_wrap=True)
    if differing_keys(entrants):
        console.print("In what their recipes differ (* searched):")
        console.print(keys_of(entrants), soft_wrap=True)
    console.print(f"page: {file}", soft_wrap=True)


def _last(study: str) -> str:
    """The name of a study that may be named by its folder."""
    return Path(study).name
