"""How far the work before the first trial is: a bar in a terminal, lines elsewhere."""

import math
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from sweeper.display.trial_text import elapsed
from sweeper.execute.executor import SilentChannel
from sweeper.records import Advance, Note

_SECONDS_BETWEEN_LINES = 10.0


class Stages(SilentChannel):
    """Shows each :class:`~sweeper.records.Advance` of the work that has this as its channel.

    Each new kind of work is a line that stays, then a bar with the time left, or lines, and at its
    end the time that it took. A context: leaving it takes the bar away.

    Args:
        console: where to show it.
        first: what is done before the first of them; in a terminal it is shown meanwhile.
        clock: the time in seconds.
    """

    def __init__(
        self, console: Console, first: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console
        self._clock = clock
        self._work = ""
        self._began = self._said = 0.0
        self._last: Advance | None = None
        self._bar: Progress | None = None
        self._task = TaskID(0)
        if console.is_interactive and not console.options.ascii_only:
            self._bar = Progress(
                BarColumn(24),
                TextColumn("{task.completed:,.0f} of {task.total:,.0f} images"),
                TimeRemainingColumn(),
                TextColumn("left"),
                console=console,
                transient=True,
                get_time=clock,
            )
        self._spinner = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            get_time=clock,
            disable=self._bar is None,
        )
        self._spinner.add_task(first, total=None)

    def __enter__(self) -> Self:
        self._spinner.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._spinner.stop()
        self._end()

    def note(self, note: Note) -> None:
        """Show how far the work is; other notes are nothing to show."""
        if not isinstance(note, Advance):
            return
        now = self._clock()
        if note.work != self._work:
            self._spinner.stop()
            self._end()
            self._work, self._began, self._said = note.work, now, now
            self._console.print(note.work, soft_wrap=True)
            if self._bar is not None:
                self._task = self._bar.add_task("", total=note.total)
                self._bar.start()
        self._last = note
        if self._bar is not None:
            self._bar.update(self._task, completed=note.done, total=note.total)
        elif now - self._said >= _SECONDS_BETWEEN_LINES and note.done < note.total:
            self._said = now
            left = (now - self._began) * (note.total - note.done) / max(note.done, 1)
            self._console.print(
                f"  {note.done:,} of {note.total:,} images, about {elapsed(left)} left"
            )

    def _end(self) -> None:
        if self._last is None:
            return
        if self._bar is not None:
            self._bar.stop()
            self._bar.remove_task(self._task)
        seconds = math.ceil(self._clock() - self._began)
        done, total = self._last.done, self._last.total
        count = f"{done:,}" if done == total else f"{done:,} of {total:,}"
        self._console.print(f"  {count} images in {elapsed(seconds)}")
        self._last, self._work = None, ""
