"""Each piece of work in a fresh process on the nodes of a Ray cluster.

An actor for each: Ray finds it room, gives it its devices and ends it. Files of the study that the
work makes are written to the study's folder here as they appear; no disk needs to be shared.
"""

import contextlib
import itertools
import os
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from sweeper.disk.files import write_aside
from sweeper.errors import MachineFault, TrialFailed
from sweeper.execute.devices import THREADS
from sweeper.execute.executor import Asked, Channel, Placement, Work, WorkFiles
from sweeper.execute.failures import described
from sweeper.execute.on_ray import ray_connection, ray_nodes, sent_work
from sweeper.execute.on_ray.conversation import Conversation, in_a_line
from sweeper.execute.on_ray.messages import Node, Task
from sweeper.execute.on_ray.ray_actor import RayActor
from sweeper.execute.on_ray.versions import differing, versions
from sweeper.execute.outcome import Raised, Returned
from sweeper.execute.output import tail
from sweeper.records import Cause

_FOLDERS = ("XDG_CACHE_HOME", "KERAS_HOME", "TFDS_DATA_DIR")
"""Variables that name folders of data. Where the controller has them, work has them too."""

_SAY_SECONDS = 10.0
"""A person is shown what is waited for when it takes longer."""

_SAY_AGAIN_SECONDS = 300.0

_END_SECONDS = 5.0
"""What an actor may take to remove its files."""


@dataclass(frozen=True)
class RayPlacement(Placement):
    """A slot that has room on a node: its actor waits for work."""

    actor: Any = field(kw_only=True)
    node: Node = field(kw_only=True)


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
        import ray

        ray_connection.connect(asked.address, log)
        ray_connection.reconnect(asked.address, log)
        self._asked = asked
        self._preload = tuple(preload)
        self._needs = ray_nodes.of_each(asked)
        self._root = log.parent.parent
        # reentrant, for a signal handler that kills while its own thread begins or ends work
        self._lock = threading.RLock()
        self._actors: set[Any] = set()
        self._numbers = itertools.count()
        self._kills = 0
        self._say_after = 0.0
        self._actor_class: Any = ray.remote(
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=4,
            num_cpus=self._needs["CPU"],
            num_gpus=self._needs.get("GPU", 0),
        )(RayActor)

    @contextlib.contextmanager
    def slot(
        self, place: Placement, say: Callable[[str], None], ended: Callable[[], bool]
    ) -> Iterator[Placement | None]:
        """Wait until the cluster has room for a trial; see :class:`Executor`."""
        actor = self._start()
        try:
            node = self._await_room(actor, say, ended)
            if node is None:
                self._end(actor)
                yield None
            else:
                yield RayPlacement(place.name, place.environment, actor=actor, node=node)
        finally:
            self._leave(actor)

    def holds(self, place: Placement) -> bool:
        """Whether its actor lives, as far as is known."""
        return isinstance(place, RayPlacement) and place.actor in self._actors

    def room(self) -> int | None:
        """As many as fit on the nodes of now, where nobody asked for a number."""
        return None if _asked_slots(self._asked) else ray_nodes.room(self._needs)

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
        with self.slot(place or Placement(), lambda _text: None, lambda: False) as found:
            assert isinstance(found, RayPlacement)
            return self._run_at(found, work, log, channel, timeout, files or WorkFiles())

    def kill(self) -> None:
        """End all work now: each :meth:`run` that has begun raises TrialFailed."""
        with self._lock:
            self._kills += 1
            actors = tuple(self._actors)
        for actor in actors:
            self._end(actor)

    def _start(self) -> Any:
        actor = self._actor_class.remote(self._preload, tuple(sys.path))
        with self._lock:
            self._actors.add(actor)
        return actor

    def _leave(self, actor: Any) -> None:
        """End an actor in peace, if it lives."""
        import ray

        if actor in self._actors:
            with contextlib.suppress(Exception):  # it may have no place yet, or be dead
                ray.get(actor.end.remote(), timeout=_END_SECONDS)
        self._end(actor)

    def _end(self, actor: Any) -> None:
        import ray

        with self._lock:
            self._actors.discard(actor)
        with contextlib.suppress(Exception):
            ray.kill(actor)

    def _await_room(
        self, actor: Any, say: Callable[[str], None], ended: Callable[[], bool]
    ) -> Node | None:
        import ray

        # a file of a new name: no node has looked for it before
        text = uuid.uuid4().hex
        mark = self._root / f".seen-{text}"
        write_aside(mark, text)
        try:
            answer = actor.node.remote(mark, text)
            began = time.monotonic()
            while not ray.wait([answer], timeout=1)[0]:
                if ended():
                    return None
                if time.monotonic() - began > _SAY_SECONDS and self._is_time_to_say():
                    say(self._waiting())
            node: Node = ray.get(answer)
        except ray.exceptions.RayError as error:
            if ended():
                return None
            raise MachineFault(f"Ray started no process: {in_a_line(error)}") from error
        finally:
            mark.unlink(missing_ok=True)
        fault = differing(node.name, node.versions, versions())
        if fault:
            raise MachineFault(fault)
        return node

    def _is_time_to_say(self) -> bool:
        """Whether nothing was said of waiting for a while, by any slot."""
        with self._lock:
            now = time.monotonic()
            if now < self._say_after:
                return False
            self._say_after = now + _SAY_AGAIN_SECONDS
            return True

    def _waiting(self) -> str:
        import ray

        free = {name: ray.available_resources().get(name, 0.0) for name in self._needs}
        return (
            f"waiting for room on the Ray cluster: a trial needs "
            f"{ray_nodes.spelled(self._needs)}, free are {ray_nodes.spelled(free)}; nodes that "
            "join are used"
        )

    def _run_at(
        self,
        place: RayPlacement,
        work: Work,
        log: Path,
        channel: Channel,
        timeout: float | None,
        files: WorkFiles,
    ) -> Any:
        kills = self._kills
        try:
            payload = sent_work.dumps(work, self._root)
        except Exception as error:
            raise TrialFailed(f"the work cannot be sent: {described(error)}") from error
        named = {name: os.environ[name] for name in _FOLDERS if name in os.environ}
        environment = named | dict(place.environment)
        number = next(self._numbers)
        task = Task(number, payload, self._root, log, files.made, environment, Path.cwd(), timeout)
        talk = Conversation(place.actor, place.node, self._root, channel)
        try:
            outcome = talk.hold(task, files)
        except BaseException:  # of the channel: the work runs on
            self._end(place.actor)
            raise
        if isinstance(outcome, TrialFailed):  # of the actor itself
            self._end(place.actor)
        if isinstance(outcome, Returned):
            return outcome.value
        if isinstance(outcome, Raised):
            if not isinstance(outcome.error, TrialFailed):
                raise outcome.error
            failed = outcome.error
        elif outcome.cause in (Cause.KILLED, Cause.LOST) and self._kills != kills:
            failed = TrialFailed("killed by its controller", cause=Cause.KILLED)
        else:
            failed = outcome
        raise TrialFailed(failed.reason, failed.log_tail or tail(log), failed.cause)


def _asked_slots(asked: Asked) -> int:
    """``n_jobs``, 0 where the cluster decides."""
    return max(0, asked.n_jobs or 0)
