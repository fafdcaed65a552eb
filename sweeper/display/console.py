"""The screen, as rich writes to it."""

import functools
import io
import sys

from rich.console import Console

SECONDS_BETWEEN_LINES = 10.0
"""Of lines that say how far work is, where no bar does."""


def open_console() -> Console:
    """The screen. A pipe has no width, and 80 columns would fold every line of a table.

    What it cannot show of names and paths is escaped, in all that is written there from now on.
    """
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")
    # names and paths may hold what rich takes for markup: [old], :dog:
    plain = functools.partial(Console, highlight=False, markup=False, emoji=False)
    console = plain()
    return console if console.is_terminal else plain(width=200)
