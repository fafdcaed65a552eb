"""Waiting until a cluster has room for an actor, with a word to a person where that takes long."""

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sweeper.disk.files import write_aside
from sweeper.errors import MachineFault
from sweeper.execute.on_ray import ray_nodes
from sweeper.execute.on_ray.conversation import in_a_line
from sweeper.execute.on_ray.messages import Node
from sweeper.execute.on_ray.ray_head import RayHead
from sweeper.execute.on_ray.versions import differing, versions

_SAY_SECONDS = 10.0
"""A person is shown what is waited for when it takes longer."""

_SAY_AGAIN_SECONDS = 300.0

_MOST_DEATHS = 10
"""Actors that may die one after the other before they have begun: more are no lost nodes."""


class Room:
    """What all slots know of waiting.

    Args:
        needs: of each slot, by Ray's names of resources.
        root: the study's folder.
        head: of the cluster.
    """

    def __init__(self, needs: Mapping[str, float], root: Path, head: RayHead) -> None:
        self._needs = needs
        self._root = root
        self._head = head
        self._lock = threading.Lock()
        self._say_after = 0.0
        self._deaths = 0

    def awaited(
        self, actor: Any, say: Callable[[str], None], ended: Callable[[], bool]
    ) -> Node | None:
        """Wait until ``actor`` runs on a node; None where it died with that, or ``ended`` says so.

        Raises:
            MachineFault: it cannot run, or its node has packages in other versions.
            Outage: the cluster does not answer.
        """
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
                if not self._head.answers():
                    self._head.check()
                elif time.monotonic() - began > _SAY_SECONDS and self._is_time_to_say():
                    say(self._waiting())
            node: Node = ray.get(answer)
        except ray.exceptions.RayError as error:
            if not ended():
                self._count_death(error)
            return None
        finally:
            with contextlib.suppress(OSError):
                mark.unlink(missing_ok=True)
        self._deaths = 0
        fault = differing(node.name, node.versions, versions())
        if fault:
            raise MachineFault(fault)
        return node

    def _count_death(self, error: Exception) -> None:
        self._deaths += 1
        if "creation task" in str(error) or self._deaths > _MOST_DEATHS:
            raise MachineFault(f"Ray started no process: {in_a_line(error)}") from error

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
