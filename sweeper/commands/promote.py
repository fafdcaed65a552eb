"""``sweeper promote``: make a model the champion, if it is better beyond chance."""

from typing import TYPE_CHECKING

import click

from sweeper.commands.model_command import STORE, model_command

if TYPE_CHECKING:
    from sweeper.saved.reference import Found


@model_command("promote", with_uri=True)
@click.option(
    "--refit",
    "made",
    flag_value="refit",
    help="The recipe of the winner, trained again on train plus validation.",
)
@click.option("--calibrated", "made", flag_value="calibrated", help="The winner, calibrated.")
@click.option("--ensemble", "made", flag_value="ensemble", help="The mean of several trials.")
@click.option(
    "--soup", "made", flag_value="soup", help="The mean of the weights of several trials."
)
@click.option("--name", help="Name in the registry.  [default: that of the study]")
@click.option("--alias", default="champion", show_default=True, help="What it becomes.")
@click.option("--force", is_flag=True, help="Promote it whatever the comparison gives.")
def command(
    found: "Found", uri: str | None, made: str | None, name: str | None, alias: str, force: bool
) -> int:
    """Register a model in MLflow, and make it the champion.

    It becomes champion where there is none, or where it is better than the present one on the test
    images of its data set, beyond chance; else the exit code is 1. With --calibrated, --ensemble or
    --soup it must help the winner too, see sweeper improve.
    """
    from sweeper.execute.output import only_ours

    with only_ours() as (screen, _):
        from sweeper.promote.in_mlflow import store_for
        from sweeper.promote.promotion import Promotion
        from sweeper.promote.refitting import KIND, refitted

        def say(text: str) -> None:
            print(text, file=screen)

        store = store_for(found, uri, STORE)
        if made == KIND:
            found = refitted(found, say)
        elif made is not None:
            from sweeper.improve.offering import offered

            offer = offered(found, made, say)
            if offer is None or not (offer.helps or force):
                return 1
            found = offer.found
        return int(not Promotion(store, name, alias, force, say).run(found))
