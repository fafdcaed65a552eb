"""Commands that take a recipe: overrides as a fine-tune takes them, composed without a run."""

import contextlib
import io
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import split_arg_string

if TYPE_CHECKING:
    from omegaconf import DictConfig

_NOTHING_KEPT = (
    "hydra.run.dir=.",
    "hydra.output_subdir=null",
    "hydra/job_logging=disabled",
    "~hydra.callbacks.start",
)
_MULTIRUN = {"-m", "--multirun"}


def complete_overrides(
    _context: click.Context, _parameter: click.Parameter | None, incomplete: str
) -> list[str]:
    """Overrides that begin with ``incomplete``, as Hydra's own completion finds them."""
    from sweeper.entry import run

    typed = split_arg_string(os.environ.get("COMP_WORDS", ""))
    before = [word for word in typed if "=" in word and word != incomplete]
    os.environ["COMP_LINE"] = " ".join(["sweeper", *before, incomplete])
    with contextlib.redirect_stdout(io.StringIO()) as found:
        run(lambda _config: None, ["-sc", "query=bash"])
    return [word for word in found.getvalue().split() if word.startswith(incomplete)]


def recipe_command(
    name: str, *, required: bool = False
) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a function with an argument ``overrides`` the command ``name``.

    Args:
        name: of the command.
        required: whether a recipe must be named; else the default one is meant.
    """

    def decorate(function: Callable[..., Any]) -> click.Command:
        taking = click.argument(
            "overrides",
            nargs=-1,
            required=required,
            type=click.UNPROCESSED,
            shell_complete=complete_overrides,
        )(function)
        # options that are not the command's are Hydra's: --config-dir FOLDER
        return click.command(name, context_settings={"ignore_unknown_options": True})(taking)

    return decorate


def composed(overrides: Sequence[str]) -> "DictConfig":
    """The configuration that ``overrides`` give, with its ``hydra`` node; nothing is written.

    Ends the process, as :mod:`sweeper.exits` says, where something is wrong with them.

    Raises:
        click.UsageError: they ask for a search.
    """
    if _MULTIRUN & set(overrides):
        raise click.UsageError("this command takes one recipe; leave out -m")
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import open_dict

    from sweeper.entry import run

    found: list[DictConfig] = []

    def keep(config: "DictConfig") -> None:
        with open_dict(config):
            config.hydra = HydraConfig.get()
        found.append(config)

    run(keep, overrides, _NOTHING_KEPT)
    if not found:  # Hydra has shown what --cfg or --info asked for
        raise click.exceptions.Exit(0)
    return found[0]
