"""The commands by name: which one is meant, how its errors end, and what a shell completes."""

from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import click
from click.shell_completion import CompletionItem, shell_complete

from sweeper.commands import COMMANDS, COMPLETE
from sweeper.commands.recipe_command import complete_overrides
from sweeper.exits import ASKED, leave, reported


class _Commands(click.Group):
    """Imports a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"sweeper.commands.{cmd_name}").command
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        first = not ctx.args
        found = [
            CompletionItem(name, help=what)
            for name, what in COMMANDS.items()
            if first and name.startswith(incomplete)
        ]
        if first and not incomplete:  # the commands are seen at once, without Hydra
            return found
        return found + [CompletionItem(word) for word in complete_overrides(ctx, None, incomplete)]


_SWEEPER = _Commands("sweeper", context_settings={"help_option_names": ["-h", "--help"]})


def run(arguments: Sequence[str]) -> NoReturn:
    """Run the command that ``arguments`` begin with, and end the process with its exit code."""
    with reported():
        if arguments[0] not in COMMANDS:
            from sweeper.config import nearest

            hint = nearest(arguments[0], COMMANDS) or "; sweeper --help lists the commands"
            leave(f"{arguments[0]!r} is no command and no override (key=value){hint}", ASKED)
        try:
            with _SWEEPER.make_context("sweeper", list(arguments)) as context:
                code = _SWEEPER.invoke(context)
        except click.exceptions.Exit as ended:
            code = ended.exit_code
        except click.ClickException as error:
            leave(_sentence(error), ASKED)
        raise SystemExit(code)


def complete(instruction: str) -> NoReturn:
    """Answer what the script of ``sweeper completion`` asks, and end the process."""
    raise SystemExit(shell_complete(_SWEEPER, {}, "sweeper", COMPLETE, instruction))


def _sentence(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return error.format_message()
    return f"{context.command_path}: {error.format_message()}\n{context.get_usage()}"
