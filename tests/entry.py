"""``python -m sweeper`` in this process, up to where data, weights and trials would begin."""

import contextlib
import io
import logging
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import sweeper.__main__
from sweeper.app.start import Start
from sweeper.errors import ConfigError
from sweeper.search.sweep import Sweep

WOULD_RUN = "all is well: trials would begin here"


@dataclass(frozen=True)
class Ended:
    """How a command ended. ``left`` are the files and folders that it made."""

    code: int
    screen: str
    left: tuple[str, ...]


def run(folder: Path, *arguments: str) -> Ended:
    """Run a command line in ``folder``; an exception that it lets through is raised here."""
    before = set(folder.rglob("*"))
    screen = io.StringIO()
    with (
        contextlib.chdir(folder),
        mock.patch.object(sys, "argv", ["sweeper", *arguments]),
        contextlib.redirect_stdout(screen),
        contextlib.redirect_stderr(screen),
        mock.patch.dict(os.environ),
        _levels_of_loggers_kept(),
        _nothing_heavy(),
    ):
        try:
            sweeper.__main__.main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
    left = sorted(str(path.relative_to(folder)) for path in set(folder.rglob("*")) - before)
    return Ended(code, screen.getvalue(), tuple(left))


@contextlib.contextmanager
def _levels_of_loggers_kept() -> Iterator[None]:
    """After the block they are what they were: ``hydra.verbose`` sets them."""
    known = [logging.root, *map(logging.getLogger, list(logging.root.manager.loggerDict))]
    levels = [(logger, logger.level) for logger in known]
    try:
        yield
    finally:
        for name in logging.root.manager.loggerDict:
            logging.getLogger(name).setLevel(logging.NOTSET)  # of those that are new
        for logger, level in levels:
            logger.setLevel(level)


@contextlib.contextmanager
def _nothing_heavy() -> Iterator[None]:
    def stop(*_arguments: Any) -> None:
        raise ConfigError([WOULD_RUN])

    with (
        mock.patch("sweeper.app.alone._run", stop),
        mock.patch.object(Sweep, "_open_executor", stop),
        mock.patch.object(Start, "new", []),
        # it closes the handlers that there are, and absl's closes pytest's screen with it
        mock.patch("hydra._internal.logging_config.HydraDictConfigurator.configure"),
    ):
        yield
