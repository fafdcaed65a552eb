"""The process that holds a slot on a node of the cluster, and runs its work one after the other.

Each piece of work has a process of its own, forked from a server that has what it needs imported,
as on the controller's machine. The controller asks for messages, as a driver of Ray cannot be
called. It names the number of those that it has, so that an answer that was lost is given again.
"""

import contextlib
import os
import shutil
import socket
import sys
import tempfile
import types
from collections.abc import Sequence
from pathlib import Path

from sweeper.execute.on_ray.actor_work import ActorWork
from sweeper.execute.on_ray.copied_files import CopiedFiles, Piece
from sweeper.execute.on_ray.messages import Message, Node, Task
from sweeper.execute.on_ray.versions import versions
from sweeper.execute.process import ProcessExecutor
from sweeper.records import Decision

_COPIES = "sweeper-ray-"
"""How folders of the system's temporary folder begin that are of an actor; its process follows."""


class RayActor:
    """Holds a slot. Ray calls each method in a thread of its own.

    The controller may make each call twice, when the network has lost the answer.

    Args:
        preload: modules that the processes of its work find imported.
        paths: where the controller finds modules.
    """

    def __init__(self, preload: Sequence[str], paths: Sequence[str]) -> None:
        # Ray's own script, which each process would import again
        sys.modules["__main__"] = types.ModuleType("__main__")
        sys.path += [path for path in paths if path not in sys.path]
        _remove_folders_of_the_dead()
        self._folder = Path(tempfile.mkdtemp(prefix=f"{_COPIES}{os.getpid()}-"))
        self._executor = ProcessExecutor(preload, self._folder / "server.log")
        self._works: dict[int, ActorWork] = {}
        self._copies: dict[int, CopiedFiles] = {}
        self._taken: set[tuple[int, str, int]] = set()

    def node(self, mark: Path, text: str) -> Node:
        """Where this is; ``mark`` holds ``text`` where the controller's disk is shared."""
        import ray

        sees = False
        with contextlib.suppress(OSError):
            sees = mark.read_text() == text
        node = ray.get_runtime_context().get_node_id()
        return Node(node, f"{socket.gethostname()} ({node[:8]})", versions(), sees)

    def make_copy(self, number: int) -> None:
        """Make a folder for the study, whose files :meth:`take` brings."""
        if number not in self._copies:
            self._copy(number).mkdir()
            self._copies[number] = CopiedFiles(self._copy(number))

    def take(self, number: int, piece: Piece) -> None:
        """Write this part of a file of the study into the copy, unless it is there."""
        known = number, piece.path, piece.offset
        if known not in self._taken:
            self._taken.add(known)
            self._copies[number].take(piece)

    def begin(self, task: Task) -> None:
        """Start the work; :meth:`messages` has what comes of it."""
        if task.number in self._works:
            return
        copied = task.number in self._copies
        root = self._copy(task.number) if copied else task.root
        self._works[task.number] = ActorWork(task, root, copied)
        self._works[task.number].begin(self._executor)

    def messages(self, number: int, seen: int) -> tuple[int, list[Message]]:
        """See :meth:`ActorWork.messages`."""
        return self._works[number].messages(seen)

    def decide(self, number: int, message: int, decision: Decision) -> None:
        """See :meth:`ActorWork.decide`."""
        self._works[number].decide(message, decision)

    def close(self, number: int) -> None:
        """Forget a piece of work that has ended, and its copy."""
        self._works.pop(number, None)
        if self._copies.pop(number, None) is not None:
            self._taken = {one for one in self._taken if one[0] != number}
            shutil.rmtree(self._copy(number), ignore_errors=True)

    def end(self) -> None:
        """Remove what is on the disk."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _copy(self, number: int) -> Path:
        return self._folder / f"copy-{number}"


def _remove_folders_of_the_dead() -> None:
    """Remove folders of actors that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_COPIES}*"):
        pid = folder.name.removeprefix(_COPIES).partition("-")[0]
        with contextlib.suppress(OSError, ValueError):
            if not Path("/proc").exists() or Path(f"/proc/{int(pid)}").exists():
                continue
            shutil.rmtree(folder, ignore_errors=True)
