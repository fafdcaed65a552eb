"""How far the study is: a live table of slots in a terminal, one line an event elsewhere."""

import time
from collections.abc import Callable

from rich.console import Console

from sweeper.display.interface import Outline, Progress
from sweeper.display.line_progress import LineProgress
from sweeper.display.live_progress import LiveProgress
from sweeper.records import StudySummary


def open_progress(
    console: Console,
    outline: Outline,
    so_far: StudySummary | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Progress:
    """The display that fits where ``console`` writes to.

    Args:
        console: the screen.
        outline: what is shown.
        so_far: the study as it is continued.
        clock: the time in seconds.
    """
    if console.is_interactive and not console.options.ascii_only:
        return LiveProgress(console, outline, so_far, clock)
    return LineProgress(console, outline, clock)
