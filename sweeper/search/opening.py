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

Where one writes, locks on the study and on its folder keep a second controller out; the system
frees them when the process dies, however it dies. Where several write, Optuna's heartbeat tells
the dead from the living, and a lock in the database makes counting and asking one step.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from optuna.storages import InMemoryStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend

from sweeper.addresses import sqlite_file, without_secrets
from sweeper.errors import SweeperError
from sweeper.locks import InUse, held
from sweeper.paths import file_name
from sweeper.search.server import ServerStore
from sweeper.search.store import GATE_SECONDS, SqliteStore, Store

_JOURNAL = "journal:///"


@contextlib.contextmanager
def claimed(url: str | None, study_name: str, folder: Path) -> Iterator[None]:
    """Within the block, keep other controllers out of the study and of its ``folder``.

    Where the store takes several, they share both.

    Raises:
        SweeperError: another controller has the study or the folder.
    """
    file = _file(url) if url else None
    own = "start a study of your own with hydra.sweeper.study_name=<name>"
    with contextlib.ExitStack() as locks:
        if file is not None:
            try:
                locks.enter_context(held(file.with_name(file_name(f"{file.name}.{study_name}"))))
            except InUse:
                raise SweeperError(
                    f"study {study_name} in {file} is being run by another process, and this store "
                    f"takes one at a time; wait for it or end it, {own}, or share the study "
                    "through a server: hydra.sweeper.storage=postgresql+psycopg://..."
                ) from None
        if file is not None or url is None:
            try:
                locks.enter_context(held(folder))
            except InUse:
                raise SweeperError(
                    f"another process writes to {folder}; wait for it or end it, {own}, or choose "
                    "another folder with hydra.sweep.dir=<folder>"
                ) from None
        yield


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
        with held(file, GATE_SECONDS):  # who begins at once would make the tables too
            # Optuna reads braces in an address as its own
            return SqliteStore(url.replace("{", "%7B").replace("}", "%7D"))
    except Exception as error:  # drivers raise what they like
        text = (str(error) or type(error).__name__).splitlines()[0]
        raise SweeperError(
            f"the study's store {without_secrets(url)} cannot be opened: {without_secrets(text)}; "
            "set hydra.sweeper.storage to sqlite:///<file>, or to a server that answers"
        ) from None
