"""``sweeper backbones``: the networks that ``backbone=`` takes."""

import click


@click.command("backbones")
@click.option(
    "--parameters",
    is_flag=True,
    help="Count them too, on the networks themselves: two minutes, 2 GB of memory.",
)
def command(parameters: bool) -> None:
    """List the networks that backbone= takes, as a table in Markdown."""
    from sweeper.models import catalogue

    for line in catalogue.rows(parameters):
        print(line, flush=True)
