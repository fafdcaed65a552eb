"""Work on the nodes of a Ray cluster, each piece in a fresh process.

A slot is an actor: Ray finds it room and gives it its devices, and it starts the processes. Files
of the study that the work makes are written to the study's folder here as they appear; no disk
needs to be shared.
"""

import contextlib
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from sweeper.errors import TrialFailed
from sweeper.execute.devices import THREADS
from sweeper.execute.executor import Asked, Channel, Placement, Work, WorkFiles
from sweeper.execute.failures import described
from sweeper.execute.on_ray import ray_connection, ray_nodes, sent_work
from sweeper.execute.on_ray.conversation import Conversation
from sweeper.execute.on_ray.held_actors import HeldActors, RayPlacement
from sweeper.execute.on_ray.messages import Task
from sweeper.execute.on_ray.ray_head import RayHead
from sweeper.execute.outcome import Raised, Returned
from sweeper.execute.output import tail
from sweeper.records import Cause

_FOLDERS = ("XDG_CACHE_HOME", "KERAS_HOME", "TFDS_DATA_DIR")
"""Variables that name folders of data. Where the controller has them, work has them too."""


class RayExecutor:
    """Runs work on a cluster.

    Any number of threads may call :meth:`run` at once.

    Args:
        asked: what each trial needs, and where the cluster is.
        log: for what Ray writes; in the study's folder.
        preload: modules that the processes of work find imported.
    """

    in_processes: ClassVar[bool] = True

    @staticmethod
    def threads(asked: Asked) -> int:
        """One for each processor that a trial has."""
        return max(1, int(asked.num_cpus or 1))

    @staticmethod
    def placements(asked: Asked) -> tuple[Placement, ...]:
        """As many as asked for; else as many as the cluster has room for now."""
        ray_connection.connect(asked.address)
        needs = ray_nodes.of_each(asked)
        count = max(1, _asked_slots(asked) or ray_nodes.room(needs))
        environment = {THREADS: str(asked.threads)} if asked.threads else {}
        if 0 < needs.get("GPU", 1) < 1:  # trials that share one take what they need, not all
            environment["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
        return (Placement(f"Ray, {ray_nodes.spelled(needs)}", environment),) * count

    @classmethod
    def open(cls, preload: Sequence[str], log: Path, asked: Asked) -> "RayExecutor":
        """One that is connected, to nodes of the same versions."""
        # the script travels with the work, by value
        return cls(asked, log, [module for module in preload if module != "__main__"])

    def __init__(self, asked: Asked, log: Path, preload: Sequence[str] = ()) -> None:
        ray_connection.connect(asked.address, log)
        ray_connection.reconnect(asked.address, log)
        self._asked = asked
        self._needs = ray_nodes.of_each(asked)
        self._root = log.parent.parent
        self._head = RayHead.of_this_process()
        self._actors = HeldActors(self._needs, preload, self._root, self._head)
        self._numbers = itertools.count()

    @contextlib.contextmanager
    def slot(
        self, place: Placement, say: Callable[[str], None], ended: Callable[[], bool]
    ) -> Iterator[Placement | None]:
        """Wait until the cluster has room for a trial; see :class:`Executor`."""
        found = None
        while found is None and not ended():
            found = self._try_slot(place, say, ended)
        try:
            yield found
        finally:
            if found is not None:
                self._actors.leave(found.actor)

    def holds(self, place: Placement) -> bool:
        """Whether its actor lives, as far as is known."""
        return isinstance(place, RayPlacement) and place.actor in self._actors

    def room(self) -> int | None:
        """As many as fit on the nodes of now, where nobody asked for a number."""
        if _asked_slots(self._asked):
            return None
        return ray_nodes.room(self._needs) if self._head.answers() else 0

    def run(
        self,
        work: Work,
        log: Path,
        channel: Channel,
        place: Placement | None = None,
        timeout: float | None = None,
        files: WorkFiles | None = None,
    ) -> Any:
        """See :class:`~sweeper.execute.executor.Executor`."""
        if isinstance(place, RayPlacement):
            return self._run_at(place, work, log, channel, timeout, files or WorkFiles())
        kills = self._actors.kills
        with self.slot(
            place or Placement(), lambda _text: None, lambda: self._actors.kills != kills
        ) as found:
            if not isinstance(found, RayPlacement):
                raise _killed()
            return self._run_at(found, work, log, channel, timeout, files or WorkFiles())

    def kill(self) -> None:
        """End all work now: each :meth:`run` that has begun raises TrialFailed."""
        self._actors.end_all()

    def _try_slot(
        self, place: Placement, say: Callable[[str], None], ended: Callable[[], bool]
    ) -> RayPlacement | None:
        """A slot; None where nothing is to be run any more, or its node was lost meanwhile."""
        return self._actors.awaited(place, say, ended)

    def _run_at(
        self,
        place: RayPlacement,
        work: Work,
        log: Path,
        channel: Channel,
        timeout: float | None,
        files: WorkFiles,
    ) -> Any:
        kills = self._actors.kills
        try:
            payload = sent_work.dumps(work, self._root)
        except Exception as error:
            raise TrialFailed(f"the work cannot be sent: {described(error)}") from error
        named = {name: os.environ[name] for name in _FOLDERS if name in os.environ}
        environment = named | dict(place.environment)
        number = next(self._numbers)
        task = Task(number, payload, self._root, log, files.made, environment, Path.cwd(), timeout)
        talk = Conversation(place.actor, place.node, self._root, channel, self._head)
        try:
            outcome = talk.hold(task, files)
        except BaseException:  # of the channel: the work runs on
            self._actors.end(place.actor)
            raise
        if isinstance(outcome, TrialFailed):  # of the actor itself
            self._actors.end(place.actor)
        if isinstance(outcome, Returned):
            return outcome.value
        if isinstance(outcome, Raised):
            if not isinstance(outcome.error, TrialFailed):
                raise outcome.error
            failed = outcome.error
        elif outcome.cause in (Cause.KILLED, Cause.LOST) and self._actors.kills != kills:
            failed = _killed()
        else:
            failed = outcome
        raise TrialFailed(failed.reason, failed.log_tail or tail(log), failed.cause)


def _killed() -> TrialFailed:
    return TrialFailed("killed by its controller", cause=Cause.KILLED)


def _asked_slots(asked: Asked) -> int:
    """``n_jobs``, 0 where the cluster decides."""
    return max(0, asked.n_jobs or 0)
