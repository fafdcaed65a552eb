"""Locks in a database server, each held by a connection and freed with it."""

import contextlib
import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlalchemy.exc import OperationalError

from sweeper.errors import SweeperError
from sweeper.search.stores.outages import ConnectionLost

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_SETTINGS = {
    # keepalives: a machine that lost its power says no farewell, and its lock must not stay
    "postgresql": (
        "set tcp_keepalives_idle = 30",
        "set tcp_keepalives_interval = 10",
        "set tcp_keepalives_count = 3",
    ),
    # an idle connection would be closed, and its lock with it
    "mysql": ("set session wait_timeout = 31536000",),
}
"""What the connection that holds a lock asks of its server, by SQLAlchemy's dialect."""

_LOSSES = 10
"""How often the connection may be lost on which a lock is waited for."""


class DatabaseLocks:
    """Locks of PostgreSQL and MySQL, by number.

    Args:
        engine: makes the connections that hold them.
    """

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._is_postgresql = engine.dialect.name == "postgresql"

    @contextlib.contextmanager
    def held(self, key: int, seconds: int | None) -> Iterator[None]:
        """Within the block no other connection holds lock ``key``, unless this one is lost.

        Raises:
            SweeperError: another one has held it for ``seconds``; None waits for ever.
        """
        connection = self.take(key, seconds)
        try:
            yield
        finally:
            self.free(connection, key)
            connection.close()

    def take(
        self, key: int, seconds: int | None, known: "Connection | None" = None
    ) -> "Connection":
        """A connection that holds lock ``key``: ``known``, unless that has ended.

        Raises:
            SweeperError: another one has held it for ``seconds``; None waits for ever.
        """
        for left in reversed(range(_LOSSES)):
            try:
                known = known or self._connect()
                self._lock(known, key, seconds)
                return known
            except ConnectionLost:
                if known is not None:
                    known.close()
                    known = None
                if not left:
                    raise
        raise AssertionError

    def free(self, connection: "Connection", key: int) -> None:
        """Free lock ``key``, which ``connection`` holds unless it has ended."""
        freed = "pg_advisory_unlock({})" if self._is_postgresql else "release_lock('sweeper{}')"
        with contextlib.suppress(ConnectionLost):
            if not connection.invalidated:
                connection.exec_driver_sql(f"select {freed.format(key)}")
                connection.commit()

    def _connect(self) -> "Connection":
        connection = self._engine.connect()
        for statement in _SETTINGS[self._engine.dialect.name]:
            connection.exec_driver_sql(statement)
        connection.commit()
        return connection

    def _lock(self, connection: "Connection", key: int, seconds: int | None) -> None:
        if self._is_postgresql:
            connection.exec_driver_sql(f"set lock_timeout = '{seconds or 0}s'")
            take = f"select pg_advisory_lock({key})"
        else:
            take = f"select get_lock('sweeper{key}', {-1 if seconds is None else seconds})"
        try:
            # MySQL says 0 where time is up, PostgreSQL raises; it says nothing where all is well
            late = connection.exec_driver_sql(take).scalar() == 0
        except OperationalError:
            late = True
        if late:
            connection.rollback()
            raise SweeperError(
                f"another controller has kept the study's lock for {seconds} s; is it stopped? end "
                "it and run the same command again"
            )
        # the lock is the session's, and an idle transaction would hold back vacuum
        connection.commit()


def lock_number(name: str) -> int:
    """The number of the lock called ``name``, 64 bits with a sign."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
