"""What travels between the controller and an actor, and the channel that the work there has."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sweeper.execute.on_ray.copied_files import Change
from sweeper.records import Decision, EpochReport, Note


@dataclass(frozen=True)
class Outcome:
    """The last message: how the work ended, pickled."""

    data: bytes


Message = EpochReport | Note | Change | Outcome


@dataclass(frozen=True)
class Node:
    """What a process says of the machine it is on, before it has work."""

    id: str
    name: str
    versions: Mapping[str, str]
    sees_study: bool


@dataclass(frozen=True)
class Task:
    """A piece of work for an actor.

    Attributes:
        number: another one for each piece.
        work: pickled by :func:`sweeper.execute.on_ray.sent_work.dumps`.
        root: the study's folder on the controller's machine.
        log: below it, for what the work prints.
        made: files and folders below it that the work writes.
        environment: variables to set before the work begins.
        folder: the controller's working directory, used where this machine has it too.
        timeout: seconds after which the work is ended.
    """

    number: int
    work: bytes
    root: Path
    log: Path
    made: tuple[Path, ...]
    environment: Mapping[str, str]
    folder: Path
    timeout: float | None


class ActorChannel:
    """The channel that the work is called with; its thread waits for each decision."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.said: list[EpochReport | Note] = []
        self._decisions: list[Decision] = []
        self._turn = threading.Lock()

    def report(self, report: EpochReport) -> Decision:
        with self._turn, self.changed:
            self.said.append(report)
            self.changed.notify_all()
            self.changed.wait_for(lambda: self._decisions)
            return self._decisions.pop()

    def note(self, note: Note) -> None:
        with self.changed:
            self.said.append(note)

    def decide(self, decision: Decision) -> None:
        with self.changed:
            self._decisions.append(decision)
            self.changed.notify_all()
