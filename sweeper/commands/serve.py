"""``sweeper serve``: answer over HTTP with a study's winner, or another model."""

from typing import TYPE_CHECKING

import click

from sweeper.commands.model_command import model_command

if TYPE_CHECKING:
    from sweeper.saved.reference import Found

_PORT = 5001
"""5000 is where the MLflow UI is."""


@model_command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=_PORT,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="0 takes a free one.",
)
def command(found: "Found", host: str, port: int) -> None:
    """Answer HTTP requests with the classes of images.

    POST /predict takes the bytes of an image file, POST /invocations what MLflow's scoring server
    takes. There is no password: whoever reaches the address may ask.
    """
    from sweeper.execute.output import only_ours

    with only_ours() as (screen, _):
        from sweeper.saved.http_server import application, serve

        def on_ready(address: str) -> None:
            print(f"{found.name} answers on {address}; Ctrl-C ends it", file=screen)
            print(f"try it: curl --data-binary @photo.jpg {address}/predict", file=screen)

        serve(application(found.network, found.name), host, port, on_ready)
