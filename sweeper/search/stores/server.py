"""The store of a study that several controllers share: a database server."""

import contextlib
import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import create_engine, event, make_url, text

from sweeper.addresses import redact
from sweeper.errors import Outage, SweeperError
from sweeper.search.stores.exclusive import GATE_SECONDS, Store, open_database

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import ExceptionContext

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
"""What the connection that holds the lock asks of its server, by SQLAlchemy's dialect."""

_NO_HEARTBEAT = text(
    "select number from trials join studies on studies.study_id = trials.study_id "
    "where study_name = :name and state = 'RUNNING' and not exists "
    "(select 1 from trial_heartbeats where trial_heartbeats.trial_id = trials.trial_id)"
)


_ANSWER_SECONDS = 10
_TIMEOUTS = {"pg8000": "timeout", "mysqlconnector": "connection_timeout"}
"""How drivers that call it otherwise name ``connect_timeout``."""


def check_answers(url: str) -> None:
    """See that the server at ``url`` lets us in, within seconds.

    Raises:
        Exception: whatever its driver raises where it does not.
    """
    name = _TIMEOUTS.get(make_url(url).get_driver_name(), "connect_timeout")
    engine = create_engine(url, connect_args={name: _ANSWER_SECONDS})
    try:
        engine.connect().close()
    finally:
        engine.dispose()


class ServerStore(Store):
    """A database server, shared by the controllers of a study.

    Its methods, and those of its storage, raise Outage where the server is gone, or has closed a
    connection that was in use.
    """

    shared = True

    def __init__(self, url: str, study_name: str, heartbeat_interval: int) -> None:
        self._engine: Engine = create_engine(url, pool_pre_ping=True)
        _name_lost_connections(self._engine, url)
        # controllers that begin at once would each make the tables
        with self._connect() as connection, self._hold(connection, _key("tables"), GATE_SECONDS):
            self._database = open_database(
                url,
                engine_kwargs={"pool_pre_ping": True},
                heartbeat_interval=heartbeat_interval,
                heartbeat_stale_trial_callback=self._stale,
            )
        _name_lost_connections(self._database.engine, url)
        if self._engine.dialect.name == "postgresql":
            event.listen(self._database.engine, "connect", _give_up_when_stopped)
            self._database.engine.dispose()  # of connections from before
        super().__init__(self._database)
        self.poll_seconds = heartbeat_interval
        self.lock_key = _key(f"study {study_name}")
        self._connection: Connection | None = None

    def _stale(self, study: optuna.Study, trial: FrozenTrial) -> None:
        if self.on_stale is not None:
            self.on_stale(study, trial)

    def show_alive(self, trial: optuna.Trial) -> None:
        """Give ``trial`` its first heartbeat, if its thread has not done so."""
        self._database.record_heartbeat(trial._trial_id)

    def fail_stale(self, study: optuna.Study) -> None:
        """Close what dead controllers left, and tell ``on_stale``; to be called behind the gate."""
        optuna.storages.fail_stale_trials(study)
        # Optuna looks at trials that had a heartbeat once. Ours have one before their controller
        # opens the gate again, so one without was left by a controller that died right there
        with self._connect() as connection:
            numbers = connection.execute(_NO_HEARTBEAT, {"name": study.study_name}).scalars().all()
        for number in numbers:
            self._stale(study, study.get_trials(deepcopy=False)[number])
            study.tell(number, state=TrialState.FAIL)

    @contextlib.contextmanager
    def gate(self) -> Iterator[None]:
        """Hold a lock in the database; the server frees it when our connection ends."""
        with self._gate:
            if self._connection is None:
                self._connection = self._connect()
            with self._hold(self._connection, self.lock_key, GATE_SECONDS):
                yield

    @contextlib.contextmanager
    def finishing(self) -> Iterator[None]:
        """Hold another lock, however long: testing a winner takes minutes."""
        with self._connect() as connection, self._hold(connection, self.lock_key ^ 1, None):
            yield

    def _connect(self) -> "Connection":
        # no transaction: the lock is the session's, and an idle one would hold back vacuum
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        for statement in _SETTINGS[self._engine.dialect.name]:
            connection.exec_driver_sql(statement)
        return connection

    @contextlib.contextmanager
    def _hold(self, connection: "Connection", key: int, seconds: int | None) -> Iterator[None]:
        from sqlalchemy.exc import OperationalError

        if self._engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"set lock_timeout = '{seconds or 0}s'")
            take, unlock = f"select pg_advisory_lock({key})", f"select pg_advisory_unlock({key})"
        else:
            take = f"select get_lock('sweeper{key}', {-1 if seconds is None else seconds})"
            unlock = f"select release_lock('sweeper{key}')"
        try:
            # MySQL says 0 where time is up, PostgreSQL raises; it says nothing where all is well
            late = connection.exec_driver_sql(take).scalar() == 0
        except OperationalError:
            late = True
        if late:
            raise SweeperError(
                f"another controller has kept the study's lock for {seconds} s; is it stopped? end "
                "it and run the same command again"
            )
        try:
            yield
        finally:
            connection.exec_driver_sql(unlock)

    def close(self) -> None:
        """Close all connections."""
        if self._connection is not None:
            self._connection.close()
        self.storage.remove_session()
        self._database.engine.dispose()
        self._engine.dispose()


def _name_lost_connections(engine: "Engine", url: str) -> None:
    """Let ``engine`` raise Outage, in one sentence, where a connection to ``url`` was lost."""

    def failed(context: "ExceptionContext") -> None:
        # a connection that waited in the pool is replaced, and nobody need know
        lost = context.is_disconnect or context.connection is None
        if lost and not context.is_pre_ping:
            reason = " ".join(str(context.original_exception).split())
            raise Outage(
                f"the connection to {redact(url)} was lost: {redact(reason)}; "
                "see that the server runs, then run the same command again"
            )

    event.listen(engine, "handle_error", failed)


def _give_up_when_stopped(connection: Any, _record: object) -> None:
    """A controller that is stopped within a transaction must not keep its rows from all others.

    The server ends the transaction, and a controller that wakes up after that ends with an error.
    MySQL has no such limit; there the others end, after its ``innodb_lock_wait_timeout``.
    """
    cursor = connection.cursor()
    cursor.execute("set idle_in_transaction_session_timeout = '60s'")
    cursor.close()
    connection.commit()


def _key(name: str) -> int:
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
