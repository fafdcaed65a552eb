"""``sweeper`` and ``python -m sweeper``: a command, or a recipe that Hydra composes."""

import json
import os
import sys
from collections.abc import Sequence

from sweeper import __version__
from sweeper.addresses import redact
from sweeper.commands import COMPLETE, listing
from sweeper.execute.output import open_closed_streams
from sweeper.exits import ASKED, leave, reported

_USAGE = """\
usage: python -m sweeper +experiment=NAME        fine-tune one model
       python -m sweeper +experiment=NAME -m     search over the recipe
       python -m sweeper --help                  examples, recipes, groups and their options"""
_WORDS = "SWEEPER_COMMAND_LINE"
"""Variable with the words of a command line that had credentials, for the process itself."""


def main() -> None:
    """Do what the command line asks for, and import no more than that needs."""
    open_closed_streams()
    arguments = _hidden_from_others()
    with reported():
        if instruction := os.environ.get(COMPLETE):
            from sweeper.commands.main import complete

            complete(instruction)
        if not arguments:
            leave(_USAGE, ASKED)
        if arguments in (["--help"], ["-h"]):
            from sweeper.commands.page import page

            print(page())
        elif _is_command(arguments[0]):
            from sweeper.commands.main import run

            run(arguments)
        elif "--version" in arguments:
            print(f"sweeper {__version__}")
        else:
            _compose(arguments)


def _hidden_from_others() -> list[str]:
    """The command line, which then shows no credentials to who lists the processes.

    The process starts itself anew, with ``***`` in their place. That keeps its id and open files.
    """
    if words := os.environ.pop(_WORDS, None):
        sys.argv[1:] = json.loads(words)
    arguments = sys.argv[1:]
    shown = [redact(word) for word in arguments]
    before = sys.orig_argv[: len(sys.orig_argv) - len(arguments)]
    if words is None and shown != arguments and sys.orig_argv == [*before, *arguments]:
        os.environ[_WORDS] = json.dumps(arguments)
        sys.stdout.flush()
        os.execv(sys.executable, [*before, *shown])
    return arguments


def _is_command(word: str) -> bool:
    """Whether ``word`` is no override and no option of Hydra."""
    return not word.startswith(("-", "+", "~")) and "=" not in word


def _compose(arguments: Sequence[str]) -> None:
    """Compose a recipe and fine-tune it, or with ``-m`` search over it."""
    from omegaconf import OmegaConf

    from sweeper.app.task import fine_tune
    from sweeper.entry import run

    OmegaConf.register_new_resolver("commands", listing, replace=True)  # of the page of --help
    run(fine_tune, arguments)


if __name__ == "__main__":
    main()
