"""Operations of a storage that are done again where their connection is lost."""

import functools
import threading
import time
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection

from sweeper.search.stores.exclusive import GateLost
from sweeper.search.stores.outages import ConnectionLost

P = ParamSpec("P")
T = TypeVar("T")

_ATTEMPTS = 30
"""How often a connection may be lost in one operation; a server may close each that it accepts."""

_PAUSES = (0.0, 0.1, 0.2, 0.4, 0.8)
"""Seconds before the first further attempts; the last of them before each later one."""


class Held(threading.local):
    """The connection over which a thread's operations must be done; it holds the study's lock."""

    connection: Connection | None = None


class HasHeld(Protocol):
    """What such operations are methods of."""

    held: Held


Operation = Callable[Concatenate[Any, P], T]
"""A method of Optuna's, which becomes one of a class that has ``held``."""

Attempted = Callable[Concatenate[HasHeld, P], T]


def attempted(times: int) -> Callable[[Operation[P, T]], Attempted[P, T]]:
    """Let an operation be done up to ``times`` times, as long as connections are lost.

    Behind the gate it is done once, since the gate is lost with its connection.
    """

    def decorated(operation: Operation[P, T]) -> Attempted[P, T]:
        def done(self: HasHeld, /, *words: P.args, **named: P.kwargs) -> T:
            for count in range(times):
                connection = self.held.connection
                # SQLAlchemy would connect it anew, without the lock
                if connection is not None and connection.invalidated:
                    raise GateLost(
                        "the connection that held the study's lock was lost; see that the server "
                        "runs, then run the same command again"
                    )
                try:
                    return operation(self, *words, **named)
                except ConnectionLost as lost:
                    if connection is not None:
                        raise GateLost(lost.reason) from lost
                    if count == times - 1:
                        raise
                    time.sleep(_PAUSES[min(count, len(_PAUSES) - 1)])
            raise AssertionError

        return functools.wraps(operation)(done)

    return decorated


once, again = attempted(1), attempted(_ATTEMPTS)
