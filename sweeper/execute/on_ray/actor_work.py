"""One piece of work of an actor: run in a process of its own, and what is to be said of it."""

import os
import pickle
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle

from sweeper.errors import SweeperError
from sweeper.execute.executor import Channel, Executor, Placement
from sweeper.execute.failures import failure
from sweeper.execute.on_ray import sent_work
from sweeper.execute.on_ray.copied_files import Change, ChangedFiles, Piece
from sweeper.execute.on_ray.messages import ActorChannel, Message, Outcome, Task
from sweeper.execute.outcome import Raised, Returned
from sweeper.records import Decision

_LOOK_SECONDS = 5.0
"""Without a report the log is looked at so often."""
_LOOKS = 12
"""After so many that found nothing an answer says so: 1,000 trials that are silent cost little."""

_ANSWER = 32 << 20
"""Bytes of files in one answer, at most one piece more."""


@dataclass(frozen=True)
class _Carried:
    """Work as it came; calling it reads it, in its own process, where the study is at ``root``."""

    work: bytes
    root: Path
    folder: Path

    def __call__(self, channel: Channel) -> bytes:
        if self.folder.is_dir():
            os.chdir(self.folder)
        sent_work.settle(self.root)
        returned: Any = pickle.loads(self.work)(channel)
        pickled: bytes = cloudpickle.dumps(returned)  # no other process needs its modules
        return pickled


class ActorWork:
    """Begins with :meth:`begin`; all else is for the controller, which may ask twice.

    Args:
        task: what to do.
        root: the study's folder here: the controller's own, or a copy.
        copied: whether it is a copy, whose changes are to be sent.
    """

    def __init__(self, task: Task, root: Path, copied: bool) -> None:
        self._task, self._root = task, root
        self._log = root / task.log.relative_to(task.root) if copied else task.log
        self._files: ChangedFiles | None = None
        if copied:
            made = [root / path.relative_to(task.root) for path in task.made]
            self._files = ChangedFiles(root, [*made, self._log])
            self._files.see()
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

    def begin(self, executor: Executor) -> None:
        """Start it in a thread."""
        threading.Thread(target=self._run, args=(executor,), name="work", daemon=True).start()

    def messages(self, seen: int) -> tuple[int, list[Message]]:
        """Wait for messages; returns the number of the first, and all after the ``seen`` first.

        None are returned where nothing is new for a minute.
        """
        with self._answering:
            self._unseen = self._unseen[max(0, seen - self._first) :]
            self._first = max(self._first, seen)
            for _ in range(_LOOKS):
                if self._unseen:
                    break
                self._unseen = self._new()
            return self._first, self._unseen

    def decide(self, number: int, decision: Decision) -> None:
        """Answer the report that is the message of that ``number``; a second time is ignored."""
        with self._answering:
            if number >= self._decided:
                self._decided = number + 1
                self._channel.decide(decision)

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

    def _run(self, executor: Executor) -> None:
        task = self._task
        work = _Carried(task.work, self._root, task.folder)
        place = Placement(environment=task.environment)
        data: bytes
        try:
            data = b"R" + executor.run(work, self._log, self._channel, place, task.timeout)
        except SweeperError as error:
            data = b"E" + pickle.dumps(Raised(error))
        except Exception as error:
            data = b"E" + pickle.dumps(Raised(failure(error)))
        with self._channel.changed:
            self._outcome = Outcome(data)
            self._channel.changed.notify_all()


def read_outcome(outcome: Outcome) -> Returned | Raised:
    """How the work ended, in the controller's process."""
    content: Any = pickle.loads(outcome.data[1:])
    return Returned(content) if outcome.data[:1] == b"R" else content
