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

from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage, get_storage
from optuna.storages.journal import JournalFileBackend

from sweeper.addresses import redact, sqlite_file
from sweeper.disk.locks import InUse, held
from sweeper.disk.writable import unwritable, unwritable_database, unwritable_file
from sweeper.errors import MachineFault, MissingInput, SweeperError
from sweeper.paths import file_name
from sweeper.search.settings.sweep_settings import SweepSettings
from sweeper.search.stores.exclusive import GATE_SECONDS, SqliteStore, Store
from sweeper.search.stores.server import ServerStore, check_answers

_JOURNAL = "journal:///"


def storage_faults(settings: SweepSettings, folder: Path) -> list[str]:
    """What keeps the study from being stored, found without writing anything; a server is asked.

    Args:
        settings: of the sweep.
        folder: of the study.
    """
    url, faults = settings.storage, []
    reasons = {reason: "hydra.sweep.dir" for reason in [unwritable(folder)] if reason}
    if url is not None:
        faults += _address_faults("hydra.sweeper.storage", url)
        file = _file(url)
        if file is not None and not faults:
            check = unwritable_file if url.startswith(_JOURNAL) else unwritable_database
            if reason := check(file):
                reasons.setdefault(reason, "hydra.sweeper.storage")
    source = settings.warm_start
    if source is not None:
        from_url = source.storage or url
        where = "hydra.sweeper.warm_start"
        faults += _address_faults(f"{where}.storage", source.storage) if source.storage else []
        file = _file(from_url) if from_url else None
        if file is not None and not file.exists():
            faults.append(f"{where}: there is no study {source.study_name}; {file} does not exist")
    return faults + [
        f"{key}: {reason}, or set {key} to another place" for reason, key in reasons.items()
    ]


def _address_faults(key: str, url: str) -> list[str]:
    from sqlalchemy import make_url
    from sqlalchemy.exc import SQLAlchemyError

    kinds = (
        "sqlite:///<file>, journal:///<file>, postgresql+psycopg://<user>@<host>/<database>, "
        "mysql+pymysql://<user>@<host>/<database>"
    )
    file = _file(url)
    if file is not None:
        if file.is_dir() or not file.name:
            return [f"{key}: {file} is a folder; set {key} to a file"]
        if url.startswith("sqlite") and file.exists() and not _is_sqlite(file):
            return [f"{key}: {file} is no SQLite database; set {key} to another file"]
        return []
    shown = redact(url)
    try:
        dialect = make_url(url).get_backend_name()
        driver = make_url(url).get_dialect()
        driver.import_dbapi()
    except (SQLAlchemyError, ValueError):
        return [f"{key}: {shown if '://' in url else 'it'} is no address; set it to {kinds}"]
    except ImportError as error:
        return [f"{key}={shown}: {error}; install the driver, or set it to {kinds}"]
    if dialect == "sqlite":
        return [f"{key}={shown} would be gone with the sweep; set {key}=null, or to {kinds}"]
    if dialect not in ("postgresql", "mysql"):
        return [f"{key}={shown}: {dialect} is not supported; set it to {kinds}"]
    try:
        check_answers(url)
    except Exception as error:  # drivers raise what they like
        return [_not_opened(key, url, error)]
    return []


def _is_sqlite(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            start = stream.read(16)
    except OSError:
        return False
    return not start or start == b"SQLite format 3\0"


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


def written_by(url: str | None) -> list[Path]:
    """The file of the store at ``url``, which must stay there while a study runs; else nothing."""
    file = _file(url) if url else None
    return [] if file is None else [file]


def open_store(
    url: str | None, study_name: str, heartbeat_interval: int, patience: float = GATE_SECONDS
) -> Store:
    """Open the store at ``url`` for study ``study_name``, which is :func:`claimed`.

    Args:
        url: ``hydra.sweeper.storage``.
        study_name: of the study.
        heartbeat_interval: seconds between two signs of life of a trial, where stores are shared.
        patience: seconds for which a server may be away later.

    Raises:
        MachineFault: another process keeps the store locked.
        SweeperError: the store cannot be opened.
    """
    if url is None:
        return Store(InMemoryStorage())
    file = _file(url)
    try:
        if file is None:
            return ServerStore(url, study_name, heartbeat_interval, patience)
        file.parent.mkdir(parents=True, exist_ok=True)
        if url.startswith(_JOURNAL):
            return Store(JournalStorage(JournalFileBackend(str(file))))
        with held(file, GATE_SECONDS):  # who begins at once would make the tables too
            # Optuna reads braces in an address as its own
            return SqliteStore(url.replace("{", "%7B").replace("}", "%7D"))
    except MachineFault:
        raise
    except Exception as error:  # drivers raise what they like
        raise SweeperError(_not_opened("hydra.sweeper.storage", url, error)) from None


def open_to_look(key: str, url: str) -> BaseStorage:
    """The store at ``url``, an existing one, for what only looks at its studies.

    Raises:
        MissingInput: naming ``key``, it cannot be opened.
    """
    faults = _address_faults(key, url)
    file = _file(url)
    if file is not None and not faults and not file.exists():
        faults = [f"{key}: there is no file {file}; name the store of your studies"]
    if faults:
        raise MissingInput("; ".join(faults))
    if file is not None and url.startswith(_JOURNAL):
        return JournalStorage(JournalFileBackend(str(file)))
    return get_storage(url)


def _not_opened(key: str, url: str, error: Exception) -> str:
    text = (str(error) or type(error).__name__).splitlines()[0]
    return (
        f"the study's store {redact(url)} cannot be opened: {redact(text)}; "
        f"set {key} to sqlite:///<file>, or to a server that answers"
    )
