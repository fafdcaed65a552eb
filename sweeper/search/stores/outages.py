"""A database server that does not answer is waited for, by all threads of a controller at once."""

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import event, make_url

from sweeper.addresses import redact
from sweeper.errors import Outage
from sweeper.search.stores.exclusive import Store

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.engine import ExceptionContext

ANSWER_SECONDS = 10
"""How long a server may take to let a connection in."""

_CUT_MILLISECONDS = 30_000
"""After which a connection counts as cut when what was sent on it is not acknowledged. Linux alone
gives up after 15 minutes (``tcp_retries2``)."""

_LIBPQ = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": _CUT_MILLISECONDS,
}
"""The same for a connection that waits for an answer; names of PostgreSQL's client library."""

_TIMEOUTS = {"pg8000": "timeout", "mysqlconnector": "connection_timeout"}
"""How drivers that call it otherwise name ``connect_timeout``."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 2.0
"""Seconds between two attempts to connect; each pause is twice as long as the one before it."""


class ConnectionLost(Outage):
    """A connection ended while it was in use: whether its last transaction counts is not known."""


def connect_arguments(url: str) -> dict[str, Any]:
    """What the driver of ``url`` needs so that no connection hangs; what the URL says wins."""
    address = make_url(url)
    driver = address.get_driver_name()
    wanted: dict[str, Any] = {_TIMEOUTS.get(driver, "connect_timeout"): ANSWER_SECONDS}
    if driver in ("psycopg", "psycopg2"):
        wanted |= _LIBPQ
    return {name: value for name, value in wanted.items() if name not in address.query}


class Waiting:
    """Lets engines wait for their server, which one thread of the controller asks for all.

    Args:
        url: of the server.
        store: which is kept there; it says what a person should see, and when the sweep ends.
        clock: in seconds.
    """

    def __init__(self, url: str, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = 0.0
        """Seconds after which a server that does not answer is given up. 0: an engine raises what
        its driver does, as is right until the store has been opened."""
        self.count = 0
        """How often the server, or a connection to it, has gone."""
        self._shown = redact(url)
        self._store = store
        self._clock = clock
        self._began: float | None = None
        self._asking = threading.Lock()

    def watch(self, engine: "Engine") -> None:
        """Let ``engine`` wait for connections, and raise ConnectionLost where one has ended.

        A connection that ended in the pool is replaced, and nobody need know.
        """
        event.listen(engine, "do_connect", self._connect)
        event.listen(engine, "handle_error", self._failed)

    def _connect(self, dialect: Any, _record: object, words: Any, named: Any) -> Any:
        """A new connection, as soon as the server gives one.

        Raises:
            Outage: the limit is over, or the sweep ends.
        """
        pause = _FIRST_PAUSE
        with self._asking:
            while True:
                try:
                    connection = dialect.connect(*words, **named)
                except dialect.loaded_dbapi.Error as error:
                    if not self.limit:
                        raise
                    self._away(error)
                else:
                    self._answered()
                    return connection
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _away(self, error: Exception) -> None:
        reason = _one_line(error)
        if self._began is None:
            self._began = self._clock()
            self.count += 1
            self._store.say(
                f"{self._shown} does not answer ({reason}); the study waits for it, at most "
                f"{self.limit:g} s, and trials at their next report"
            )
        passed = self._clock() - self._began
        if self._store.ends() or passed >= self.limit:
            raise Outage(
                f"{self._shown} has not answered for {passed:.0f} s: {reason}; see that the server "
                "runs, then run the same command again"
            )

    def _answered(self) -> None:
        if self._began is not None:
            away = self._clock() - self._began
            self._began = None
            self._store.say(f"{self._shown} answers again, after {away:.0f} s")

    def _failed(self, context: "ExceptionContext") -> None:
        # without a connection: it ended while the driver prepared it
        lost = context.is_disconnect or (self.limit and context.connection is None)
        if lost and not context.is_pre_ping:
            self.count += 1
            raise ConnectionLost(
                f"the connection to {self._shown} was lost: "
                f"{_one_line(context.original_exception)}; see that the server runs, then run the "
                "same command again"
            )


def _one_line(error: BaseException) -> str:
    return redact(" ".join(str(error).split()))
