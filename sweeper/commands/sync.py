"""``sweeper sync``: deliver to MLflow what it lacks of the runs below a folder."""

from pathlib import Path

import click


@click.command("sync")
@click.argument(
    "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), default="experiments"
)
@click.option("--uri", help="The store, instead of those that the runs were recorded for.")
def command(folder: Path, uri: str | None) -> int:
    """Deliver to MLflow what it lacks of the runs below FOLDER, by default experiments.

    The exit code is 1 where something is outstanding still.
    """
    from sweeper.app.outstanding import spelled, sync
    from sweeper.display.console import open_console

    console = open_console()

    def say(text: str) -> None:
        console.print(text, soft_wrap=True)

    left = sync(folder, say, uri)
    say(spelled(left, folder) if left else "MLflow has all that was recorded")
    return int(bool(left))
