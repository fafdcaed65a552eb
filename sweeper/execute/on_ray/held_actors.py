"""The actors that a controller holds: each is a slot that the cluster has found room for."""

import contextlib
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sweeper.execute.executor import Placement
from sweeper.execute.on_ray.messages import Node
from sweeper.execute.on_ray.ray_actor import RayActor
from sweeper.execute.on_ray.ray_head import RayHead
from sweeper.execute.on_ray.room import Room

_END_SECONDS = 5.0
"""What an actor may take to remove its files."""


@dataclass(frozen=True)
class RayPlacement(Placement):
    """A slot that has room on a node: its actor waits for work."""

    actor: Any = field(kw_only=True)
    node: Node = field(kw_only=True)


class HeldActors:
    """The actors of one executor; any number of threads may use them.

    Args:
        needs: of each actor, by Ray's names of resources.
        preload: modules that the processes of work find imported.
        root: the study's folder.
        head: of the cluster.
    """

    def __init__(
        self, needs: Mapping[str, float], preload: Sequence[str], root: Path, head: RayHead
    ) -> None:
        import ray

        # reentrant, for a signal handler that kills while its own thread begins or ends work
        self._lock = threading.RLock()
        self._actors: set[Any] = set()
        self._preload = tuple(preload)
        self._room = Room(needs, root, head)
        self._class: Any = ray.remote(
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=4,
            num_cpus=needs["CPU"],
            num_gpus=needs.get("GPU", 0),
        )(RayActor)
        self.kills = 0
        """How often all were ended."""

    def __contains__(self, actor: object) -> bool:
        """Whether it lives, as far as is known."""
        return actor in self._actors

    def awaited(
        self, place: Placement, say: Callable[[str], None], ended: Callable[[], bool]
    ) -> RayPlacement | None:
        """A new one; None where nothing is to be run any more, or its node was lost meanwhile.

        Raises:
            MachineFault: it cannot run, or its node has packages in other versions.
            Outage: the cluster does not answer.
        """
        actor = self._class.remote(self._preload, tuple(sys.path))
        with self._lock:
            self._actors.add(actor)
        try:
            node = self._room.awaited(actor, say, ended)
        except BaseException:
            self.end(actor)
            raise
        if node is None:
            self.end(actor)
            return None
        return RayPlacement(place.name, place.environment, actor=actor, node=node)

    def leave(self, actor: Any) -> None:
        """End one; if it lives it removes its files first."""
        import ray

        if actor in self._actors:
            with contextlib.suppress(Exception):  # it may be dead
                ray.get(actor.end.remote(), timeout=_END_SECONDS)
        self.end(actor)

    def end(self, actor: Any) -> None:
        """End one, and its work, at once."""
        import ray

        with self._lock:
            self._actors.discard(actor)
        with contextlib.suppress(Exception):
            ray.kill(actor)

    def end_all(self) -> None:
        """End all that there are now."""
        with self._lock:
            self.kills += 1
            actors = tuple(self._actors)
        for actor in actors:
            self.end(actor)
