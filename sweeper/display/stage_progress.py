"""How far work outside of trials is: a bar in a terminal, lines elsewhere."""

import math
import threading
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

from sweeper.display.console import SECONDS_BETWEEN_LINES
from sweeper.display.trial_text import advanced, elapsed
from sweeper.execute.executor import SilentChannel
from sweeper.records import Advance, Note


class Stages(SilentChannel):
    """Shows each :class:`~sweeper.records.Advance` of the work that has this as its channel.

    Each new kind of work is a line that stays, then a bar with the time left, or lines, and at its
    end the time that it took. Where there is no bar a line comes every ten seconds, whether or not
    the work says how far it is. A context: leaving it takes the bar away.

    Args:
        console: where to show it.
        first: what is done before the first of them; in a terminal it is shown meanwhile.
        clock: the time in seconds.
    """

    def __init__(
        self, console: Console, first: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console
        self._first = first
        self._clock = clock
        self._work = ""
        self._began = self._said = clock()
        self._shown: Advance | None = None
        self._last: Advance | None = None
        self._bar: Progress | None = None
        self._task = TaskID(0)
        if console.is_interactive and not console.options.ascii_only:
            self._bar = Progress(
                SpinnerColumn(),
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
        self._lock = threading.Lock()
        self._left = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="progress lines", daemon=True)

    def __enter__(self) -> Self:
        self._spinner.start()
        if self._bar is None:
            self._ticker.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._left.set()
        if self._bar is None:
            self._ticker.join()
        self._spinner.stop()
        self._end()

    def note(self, note: Note) -> None:
        """Show how far the work is; other notes are nothing to show."""
        if not isinstance(note, Advance):
            return
        with self._lock:
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
            elif note.done < note.total:
                self._say_in_time()

    def look(self) -> None:
        """Say how far the work is, where nothing has been said of it for ten seconds."""
        with self._lock:
            self._say_in_time()

    def _tick(self) -> None:
        while not self._left.wait(SECONDS_BETWEEN_LINES / 10):
            self.look()

    def _say_in_time(self) -> None:
        now = self._clock()
        if now - self._said < SECONDS_BETWEEN_LINES:
            return
        self._said = now
        last, passed = self._last, now - self._began
        if last is None or last == self._shown or last.done >= last.total:
            what = self._first if last is None else "at work"
            self._console.print(f"  {what} for {elapsed(passed)}", soft_wrap=True)
            return
        self._shown = last
        left = passed * (last.total - last.done) / max(last.done, 1)
        self._console.print(f"  {last.done:,} of {last.total:,} images, about {elapsed(left)} left")

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


class LongWork(SilentChannel):
    """Shows a line of each :class:`~sweeper.records.Advance` that comes ten seconds after the last.

    For work that is short with few images, and then leaves no line.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._said = clock()

    def note(self, note: Note) -> None:
        """Show how far the work is; other notes are nothing to show."""
        now = self._clock()
        if isinstance(note, Advance) and now - self._said >= SECONDS_BETWEEN_LINES:
            self._said = now
            self._console.print(f"  {advanced(note)} images", soft_wrap=True)
