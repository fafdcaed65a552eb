"""Where a study is kept, and who may write to it.

========================== ======== =======================================================
``hydra.sweeper.storage``  writers
========================== ======== =======================================================
``null``                   one      memory: gone when the sweep ends
``sqlite:///file``         one      write-ahead log: a third of the time of SQLite's default
``journal:///file``        one      Optuna's journal: the fastest that lasts
``postgresql+psycopg://``  several  controllers on any machine; dead ones are noticed
``mysql+pymysql://``       several  the same
========================== ======== =======================================================

Where one writes, a lock on a file beside the store keeps a second controller out; the system
takes it back when the process dies, however it dies. Where several write, Optuna's heartbeat tells
the dead from the living, and a lock in the database makes counting and asking one step.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock, Timeout
from optuna.storages import InMemoryStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend

from sweeper.errors import SweeperError
from sweeper.paths import sqlite_file
from sweeper.search.server import ServerStore
from sweeper.search.store import SqliteStore, Store

_JOURNAL = "journal:///"


@contextlib.contextmanager
def claimed(url: str | None, study_name: str) -> Iterator[None]:
    """Within the block, keep other controllers of the study out where the store takes one only.

    Raises:
        SweeperError: another controller has it.
    """
    file = _file(url) if url else None
    if file is None:
        yield
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    name = f".{file.name}.{quote(study_name, safe='')}.lock"
    lock = FileLock(file.with_name(name), thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise SweeperError(
            f"study {study_name} in {file} is being run by another process, and this store takes "
            "one at a time; wait for it or end it, start a study of your own with "
            "hydra.sweeper.study_name=<name>, or share the study through a server: "
            "hydra.sweeper.storage=postgresql+psycopg://..."
        ) from None
    try:
        yield
    finally:
        lock.release()


def _file(url: str) -> Path | None:
    if url.startswith(_JOURNAL):
        return Path(url.removeprefix(_JOURNAL))
    return sqlite_file(url)


def open_store(url: str | None, study_name: str, heartbeat_interval: int) -> Store:
    """Open the store at ``url`` for study ``study_name``, which is :func:`claimed`.

    Raises:
        SweeperError: the store cannot be opened.
    """
    if url is None:
        return Store(InMemoryStorage())
    file = _file(url)
    try:
        if file is None:
            return ServerStore(url, study_name, heartbeat_interval)
        file.parent.mkdir(parents=True, exist_ok=True)
        if url.startswith(_JOURNAL):
            return Store(JournalStorage(JournalFileBackend(str(file))))
        return SqliteStore(url)
    except Exception as error:  # drivers raise what they like
        text = (str(error) or type(error).__name__).splitlines()[0]
        raise SweeperError(
            f"the study's store {_public(url)} cannot be opened: {text}; "
            "set hydra.sweeper.storage to sqlite:///<file>, or to a server that answers"
        ) from None


def _public(url: str) -> str:
    """``url`` without its password."""
    from sqlalchemy.engine import make_url

    try:
        return make_url(url).render_as_string(hide_password=True)
    except Exception:
        return url.rsplit("@", maxsplit=1)[-1]
