"""The controller's end of the talk with one actor: its messages, files, decisions and death."""

import contextlib
import re
import time
from pathlib import Path
from typing import Any

from sweeper.errors import TrialFailed
from sweeper.execute.executor import Channel, WorkFiles
from sweeper.execute.failures import described, failure
from sweeper.execute.on_ray import ray_nodes
from sweeper.execute.on_ray.actor_work import read_outcome
from sweeper.execute.on_ray.copied_files import ChangedFiles, CopiedFiles, Gone, Piece
from sweeper.execute.on_ray.messages import Message, Node, Outcome, Task
from sweeper.execute.on_ray.ray_head import LOOK_SECONDS, RayHead
from sweeper.execute.outcome import Raised, Returned
from sweeper.records import Cause, EpochReport

_AGAIN_SECONDS = 1.0


class Conversation:
    """The controller's end of the talk with one actor."""

    def __init__(self, actor: Any, node: Node, root: Path, channel: Channel, head: RayHead) -> None:
        self._actor, self._node = actor, node
        self._root = root
        self._channel = channel
        self._head = head
        self._copies = CopiedFiles(root)

    def hold(self, task: Task, files: WorkFiles) -> Returned | Raised | TrialFailed:
        """Hand over the work and answer it until it ends, or the actor dies.

        Errors of the channel pass through.

        Raises:
            Outage: the cluster does not answer.
        """
        import ray

        try:
            if not self._node.sees_study:
                self._send_files(task.number, files)
            self._ask("begin", task)
            return self._listen(task.number)
        except ray.exceptions.RayError as error:
            return self._death(error)
        finally:
            self._copies.close()

    def _send_files(self, number: int, files: WorkFiles) -> None:
        self._ask("make_copy", number)
        for change in ChangedFiles(self._root, (*files.needed, *files.made)).changes():
            if isinstance(change, Piece):
                self._ask("take", number, change)

    def _ask(self, method: str, *arguments: Any) -> Any:
        """Call the actor, again where the network lost the call: each may be made twice.

        Raises:
            RayError: the actor is dead.
            Outage: the cluster does not answer.
        """
        import ray

        while True:
            try:
                answer = getattr(self._actor, method).remote(*arguments)
                while not ray.wait([answer], timeout=LOOK_SECONDS)[0]:
                    self._head.check()
                return ray.get(answer)
            except ray.exceptions.ActorUnavailableError:
                # the cluster finds out whether it is dead, in 15 s by default
                self._head.check()
                time.sleep(_AGAIN_SECONDS)

    def _listen(self, work: int) -> Returned | Raised:
        seen = 0
        while True:
            first, messages = self._ask("messages", work, seen)
            for number, message in enumerate(messages[seen - first :], seen):
                outcome = self._take(work, number, message)
                if outcome is not None:
                    self._close(work)
                    return outcome
            seen = first + len(messages)

    def _close(self, work: int) -> None:
        """Let the actor forget what is known here: its death costs nothing any more."""
        import ray

        with contextlib.suppress(ray.exceptions.RayError):
            self._ask("close", work)

    def _take(self, work: int, number: int, message: Message) -> Returned | Raised | None:
        match message:
            case Outcome():
                try:
                    return read_outcome(message)
                except Exception as error:
                    reason = f"what the work sent cannot be read: {described(error)}"
                    return Raised(TrialFailed(reason))
            case Piece() | Gone():
                try:
                    self._copies.take(message)
                except OSError as error:  # of the disk here
                    raise failure(error) from error
            case EpochReport():
                self._ask("decide", work, number, self._channel.report(message))
            case _:
                self._channel.note(message)
        return None

    def _death(self, error: Exception) -> TrialFailed:
        import ray

        if isinstance(error, ray.exceptions.OutOfMemoryError):
            reason = f"killed by Ray: node {self._node.name} ran out of memory"
            return TrialFailed(reason, cause=Cause.OOM)
        self._head.wait()
        if ray_nodes.is_lost(self._node.id):
            return TrialFailed(f"node {self._node.name} was lost", cause=Cause.LOST)
        return TrialFailed(
            f"its process on node {self._node.name} died: {in_a_line(error)}", cause=Cause.KILLED
        )


def in_a_line(error: Exception) -> str:
    """What an error of Ray says that a person can use, without colours and stacks."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    # the stack of the process ends with what it raised
    return lines[-1] if re.match(r"[\w.]+(Error|Exception)\b", lines[-1]) else lines[0]
