"""The process on a node of the cluster that runs one piece of work, and its end of the talk.

The controller asks for messages, as a driver of Ray cannot be called. It names the number of those
that it has, so that an answer which was lost on its way is given again.
"""

import contextlib
import os
import pickle
import shutil
import socket
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path

from sweeper.execute.failures import no_log
from sweeper.execute.on_ray import sent_work
from sweeper.execute.on_ray.copied_files import Change, ChangedFiles, CopiedFiles, Piece
from sweeper.execute.on_ray.messages import ActorChannel, Message, Node, Outcome, Task
from sweeper.execute.on_ray.versions import versions
from sweeper.execute.outcome import Raised, attempt
from sweeper.execute.output import redirect_output
from sweeper.records import Decision

_LOOK_SECONDS = 5.0
"""Without a report the log is looked at so often."""

_ANSWER = 32 << 20
"""Bytes of files in one answer, at most one piece more."""

_COPIES = "sweeper-ray-"
"""How folders of the system's temporary folder begin that hold copies; the process follows."""


class RayActor:
    """Runs one piece of work. Ray calls each method in a thread of its own.

    The controller may make each call twice, when the network has lost the answer.
    """

    def __init__(self) -> None:
        self._channel = ActorChannel()
        self._answering = threading.Lock()
        self._outcome: Outcome | None = None
        self._unseen: list[Message] = []
        self._first = 0
        """Number of the first message in ``_unseen``."""
        self._decided = 0
        self._changes: Iterator[Change] = iter(())
        self._more = False
        """Whether an answer was full before all changes were in it."""
        self._files: ChangedFiles | None = None
        self._copies: CopiedFiles | None = None
        self._copy: Path | None = None
        self._taken: set[tuple[str, int]] = set()
        self._thread = threading.Thread()

    def node(self, mark: Path, text: str) -> Node:
        """Where this is; ``mark`` holds ``text`` where the controller's disk is shared."""
        import ray

        sees = False
        with contextlib.suppress(OSError):
            sees = mark.read_text() == text
        node = ray.get_runtime_context().get_node_id()
        return Node(node, f"{socket.gethostname()} ({node[:8]})", versions(), sees)

    def make_copy(self) -> None:
        """Make a folder for the study, whose files :meth:`take` brings."""
        if self._copy is not None:
            return
        _remove_copies_of_the_dead()
        self._copy = Path(tempfile.mkdtemp(prefix=f"{_COPIES}{os.getpid()}-"))
        self._copies = CopiedFiles(self._copy)

    def take(self, piece: Piece) -> None:
        """Write this part of a file of the study into the copy, unless it is there."""
        assert self._copies is not None
        if (piece.path, piece.offset) not in self._taken:
            self._taken.add((piece.path, piece.offset))
            self._copies.take(piece)

    def begin(self, task: Task) -> None:
        """Start the work in a thread; :meth:`messages` has what comes of it."""
        if self._thread.ident is not None:
            return
        root, log = task.root, task.log
        if self._copy is not None:
            root, log = self._copy, self._copy / log.relative_to(task.root)
            made = [root / folder.relative_to(task.root) for folder in task.made]
            self._files = ChangedFiles(root, [*made, log])
            self._files.see()
        sent_work.settle(root)
        self._thread = threading.Thread(target=self._run, args=(task, log), daemon=True)
        self._thread.start()

    def messages(self, seen: int) -> tuple[int, list[Message]]:
        """Wait for messages; returns the number of the first, and all after the ``seen`` first."""
        with self._answering:
            self._unseen = self._unseen[max(0, seen - self._first) :]
            self._first = max(self._first, seen)
            if not self._unseen:
                self._unseen = self._new()
            return self._first, self._unseen

    def decide(self, number: int, decision: Decision) -> None:
        """Answer the report that is the message of that ``number``; a second time is ignored."""
        with self._answering:
            if number >= self._decided:
                self._decided = number + 1
                self._channel.decide(decision)

    def show_stacks(self) -> None:
        """Write to the log where the work is."""
        frame = sys._current_frames().get(self._thread.ident or 0)
        with contextlib.suppress(OSError, ValueError):
            print("the work did not end in time; it is here:", file=sys.stderr)
            traceback.print_stack(frame, file=sys.stderr)

    def close(self) -> None:
        """Remove the copy."""
        if self._copy is not None:
            shutil.rmtree(self._copy, ignore_errors=True)

    def _new(self) -> list[Message]:
        with self._channel.changed:
            self._channel.changed.wait_for(
                lambda: self._channel.said or self._outcome or self._more, _LOOK_SECONDS
            )
            said, self._channel.said = self._channel.said, []
            outcome = self._outcome
        found: list[Message] = [*said]
        room = _ANSWER
        for change in self._next_changes(outcome is not None):
            found.append(change)
            room -= len(change.data) if isinstance(change, Piece) else 0
            if room <= 0:
                self._more = True
                return found
        self._more = False
        # all files first: nothing comes after it
        return [*found, outcome] if outcome else found

    def _next_changes(self, final: bool) -> Iterator[Change]:
        yield from self._changes
        if self._files is not None:
            self._changes = self._files.changes(final)
            yield from self._changes

    def _run(self, task: Task, log: Path) -> None:
        try:
            redirect_output(log)
        except OSError as error:
            self._end(pickle.dumps(Raised(no_log(log, error))))
            return
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(AttributeError, ValueError):
                stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
        os.environ.update(task.environment)
        with contextlib.suppress(OSError):
            os.chdir(task.folder)
        sys.path += [path for path in task.paths if path not in sys.path]
        data = attempt(task.work, self._channel)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):  # a full disk must not silence the outcome
                stream.flush()
        self._end(data)

    def _end(self, data: bytes) -> None:
        with self._channel.changed:
            self._outcome = Outcome(data)
            self._channel.changed.notify_all()


def _remove_copies_of_the_dead() -> None:
    """Remove copies of processes that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_COPIES}*"):
        pid = folder.name.removeprefix(_COPIES).partition("-")[0]
        with contextlib.suppress(OSError, ValueError):
            if not Path("/proc").exists() or Path(f"/proc/{int(pid)}").exists():
                continue
            shutil.rmtree(folder, ignore_errors=True)
