"""Commands that take a MODEL: found before anything heavy is imported."""

import functools
from collections.abc import Callable
from typing import Any

import click

STORE = "sqlite:///mlruns/mlflow.db"
"""The MLflow store where nothing else is asked for."""
_MODEL = (
    "MODEL is the name or the folder of a study, whose winner is meant; the id of an MLflow run; "
    "models:/NAME@ALIAS or models:/NAME/VERSION; or a .keras file."
)


def model_command(
    name: str, *, with_uri: bool = False, ignore_unknown_options: bool = False
) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a function with an argument ``found`` the command ``name``, which begins with MODEL.

    ``with_uri`` passes it the store too, None where a person names none. See
    :func:`sweeper.saved.reference.find` for what MODEL may be.
    """

    def decorate(function: Callable[..., Any]) -> click.Command:
        @functools.wraps(function)
        def run(model: str, trial: int | None, uri: str | None, **others: Any) -> Any:
            from sweeper.saved.reference import find

            if with_uri:
                others["uri"] = uri
            return function(found=find(model, trial, uri or STORE), **others)

        options = (
            click.option("--trial", type=int, help="Another trial of the study than its winner."),
            click.option(
                "--uri",
                envvar="MLFLOW_TRACKING_URI",
                help=f"The MLflow store of runs and registered models.  [default: {STORE}]",
            ),
            click.argument("model"),
        )
        for option in options:
            run = option(run)
        settings = {"ignore_unknown_options": ignore_unknown_options}
        return click.command(name, epilog=_MODEL, context_settings=settings)(run)

    return decorate
