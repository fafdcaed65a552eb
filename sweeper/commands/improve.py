"""``sweeper improve``: models that are better than a study's winner, without training."""

from typing import TYPE_CHECKING

from sweeper.commands.model_command import model_command

if TYPE_CHECKING:
    from sweeper.saved.reference import Found


@model_command("improve")
def command(found: "Found") -> None:
    """Make what a study's trials give beyond its winner, and say what it gains and costs.

    calibrated: the winner with one temperature; ensemble: the mean of several trials; soup: the
    mean of their weights. Each is chosen on one half of the validation images and judged on the
    other.
    """
    from sweeper.execute.output import only_ours

    with only_ours() as (screen, _):
        from sweeper.improve.offering import all_offered

        def say(text: str) -> None:
            print(text, file=screen)

        all_offered(found, say)
