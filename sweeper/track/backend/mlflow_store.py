"""Where MLflow keeps runs: reached without waiting, made once, named without its credentials."""

import contextlib
import glob
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sweeper.addresses import move_credentials, redact, sqlite_file, sqlite_url
from sweeper.disk.locks import InUse, held
from sweeper.errors import TrackerError
from sweeper.http_probe import probe

_ANSWER_SECONDS = 10
_REQUEST_SECONDS = 20
"""For an answer to a request of MLflow's client, unless MLFLOW_HTTP_REQUEST_TIMEOUT says else."""
_WAIT_SECONDS = 120
"""For another process to make the tables of a database, which takes seconds."""


def absolute_uri(uri: str) -> str:
    """``uri`` as trial processes, which may work in another folder, can use it: with no relative
    path, and with credentials moved to where MLflow takes them from.
    """
    uri = move_credentials(uri)
    file = sqlite_file(uri)
    return sqlite_url(file.absolute()) if file and "?" not in uri else uri


def import_store(uri: str) -> None:
    """Import what :func:`connect` needs, and touch nothing."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # the address of each run as it ends, in the middle of our display
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    # the client reads these at each request, from nowhere else; it would try again for minutes,
    # which is done in :mod:`sweeper.track.delivery`, where it can be ended
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(_REQUEST_SECONDS))
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    import mlflow

    if not uri.startswith("http"):
        import mlflow.store.tracking.sqlalchemy_store  # noqa: F401


@contextlib.contextmanager
def alone(uri: str) -> Iterator[None]:
    """Within the block no other process makes tables or experiments of a sqlite database.

    MLflow makes them without a lock: two that begin at once break each other, some for good.
    """
    file = sqlite_file(uri)
    if file is None:
        yield
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with held(file, _WAIT_SECONDS):
            yield
    except InUse:
        raise TimeoutError(
            f"another process has kept {file} for {_WAIT_SECONDS} s; is it stopped?"
        ) from None


def make_tables(file: Path) -> None:
    """Make ``file`` a database with the tables of MLflow where it is absent or empty.

    It is made aside and renamed: MLflow cannot continue tables of which it made a part, because its
    process was killed or the disk was full. Call it within :func:`alone`.
    """
    file = file.resolve()  # a link stays one
    if file.exists() and file.stat().st_size:
        return
    from mlflow.store.tracking import DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    begun = f".{file.name}.new-"
    for left in file.parent.glob(f"{glob.escape(begun)}*"):
        shutil.rmtree(left, ignore_errors=True)
    # of another name each time: MLflow keeps connections to a file that is gone
    with tempfile.TemporaryDirectory(prefix=begun, dir=file.parent) as folder:
        aside = Path(folder, file.name)
        opened: Any = SqlAlchemyStore
        store = opened(sqlite_url(aside), DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH)
        store.engine.dispose()
        aside.replace(file)


def is_made(uri: str) -> bool:
    """Whether there is a store to read; False for a sqlite database that nobody has made yet."""
    file = sqlite_file(uri)
    try:
        return file is None or file.stat().st_size > 0
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # whoever opens it says why it cannot be read
        return True


def answers(uri: str) -> bool:
    """Whether the store at ``uri`` is there at all; the client would try a dead one for minutes."""
    try:
        knock(uri)
    except OSError:
        return False
    return True


def knock(uri: str) -> None:
    """See whether a server answers at all: the client itself would try for minutes.

    Raises:
        OSError: it does not.
    """
    if not uri.startswith("http"):
        return
    probe(uri, _ANSWER_SECONDS)  # whatever its status, it is there


_OF_A_REQUEST = re.compile(
    r"API request to .* failed with (?:exception .*?"
    r"(?:(?P<error>\[Errno -?\d+\] [^'\")]*)|(?P<silence>timed out|Connection aborted)"
    r"|too many (?P<status>\d+)).*"
    r"|error code (?P<code>\d+) .*)"
)
"""What MLflow's client says, with all that the libraries below it say, of one that fails."""


def _cause(text: str) -> str:
    """What is wrong, in a line: SQLAlchemy puts remarks in parentheses before it."""
    if found := _OF_A_REQUEST.match(text):
        code = found["code"] or found["status"]
        return found["error"] or (f"it answers {code}" if code else "it does not answer")
    lines = [line for line in text.splitlines() if line.strip()]
    plain = [line for line in lines if not re.fullmatch(r"\(.*\)|\[.*\]", line.strip())]
    return next(iter(plain or lines), "")


@contextlib.contextmanager
def usable(uri: str) -> Iterator[None]:
    """Turn what the store raises within into one sentence.

    Raises:
        TrackerError: the store cannot be reached or used.
        Refused: it answers, and does not take what it was sent.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        text = redact(_cause(str(error)) or type(error).__name__)
        named = f"MLflow at {redact(uri)}"
        if isinstance(error, MlflowException) and error.error_code in _REFUSALS:
            raise Refused(f"{named} refuses: {text}", error.error_code == _NO_SUCH) from None
        raise TrackerError(
            f"{named} cannot be used: {text}; "
            "see that it works, or set tracking.uri=<uri> or MLFLOW_TRACKING_URI to another store",
            text,
        ) from None


class Refused(TrackerError):
    """The store answers, and takes this no better when it is sent again.

    ``absent`` says that what it is about is not there.
    """

    def __init__(self, reason: str, absent: bool = False) -> None:
        super().__init__(reason)
        self.absent = absent

    def __reduce__(self) -> Any:
        return type(self), (self.reason, self.absent)


_NO_SUCH = "RESOURCE_DOES_NOT_EXIST"
_REFUSALS = (_NO_SUCH, "INVALID_PARAMETER_VALUE", "RESOURCE_ALREADY_EXISTS")
"""MLflow's codes for what is at fault in a request. BAD_REQUEST also stands for a broken database,
and what a person may not do today may be allowed tomorrow."""
