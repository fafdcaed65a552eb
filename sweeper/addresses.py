"""Addresses of stores: the file behind one, and one without its credentials."""

import os
import re
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

_SQLITE = re.compile(r"sqlite(?:\+\w+)?:///(?P<path>[^?]*)(?P<query>\?.*)?", re.DOTALL)
_USERINFO = re.compile(r"(?<=://)[^\s/?#'\"<>]+(?=@)")
_NAMED = re.compile(
    r"(?<=[?&])((?:user|username|uid|\w*password|passwd|pwd|\w*token|\w*secret)=)[^&\s'\"]+", re.I
)
HIDDEN = "***"
"""What stands where a user name, a password or a token was."""
_RESERVED = "%?#{}"
"""What has a meaning in addresses; ``{}`` in Optuna's."""


def sqlite_file(url: str) -> Path | None:
    """File that a ``sqlite:///`` address names, None for the address of any other store.

    SQLAlchemy decodes ``%25`` and the like in the path.
    """
    match = _SQLITE.fullmatch(url)
    if match is None:
        return None
    path = unquote(match["path"])
    if "uri=true" in (match["query"] or ""):  # an address of SQLite's own within
        path = path.removeprefix("file:")
    return Path(path) if path not in ("", ":memory:") else None


def sqlite_url(file: Path) -> str:
    """The address of ``file``, whatever characters its path has.

    MLflow makes the folder that it reads from the undecoded path, unless the driver is named.
    """
    path = "".join(quote(c) if c in _RESERVED else c for c in str(file))
    return f"sqlite:///{path}" if path == str(file) else f"sqlite+pysqlite:///{path}"


def redact(text: str) -> str:
    """``text`` with the user names, passwords and tokens in its addresses replaced by ``***``.

    >>> redact("MLflow at http://me:secret@host:5000 cannot be used")
    'MLflow at http://***@host:5000 cannot be used'
    >>> redact("postgresql://host/studies?user=me&password=secret")
    'postgresql://host/studies?user=***&password=***'
    """
    return _NAMED.sub(lambda found: f"{found[1]}{HIDDEN}", _USERINFO.sub(HIDDEN, text))


def hide_credentials(key: str, address: str) -> str:
    """The value of a recipe's ``key``: ``address``, or where it has credentials a reference.

    What is written to files then has the name of a variable only, and works again where that is
    set.
    """
    if redact(address) == address or address.startswith("${"):
        return address
    names = {"tracking.uri": "MLFLOW_TRACKING_URI"}
    ours = f"SWEEPER_{key.removeprefix('hydra.sweeper.').replace('.', '_').upper()}"
    name = names.get(key, ours)
    os.environ[name] = address
    return f"${{oc.env:{name}}}"


def move_credentials(uri: str) -> str:
    """``uri`` without its user name and password, where MLflow takes them from the environment.

    So no library has them in an address that it may print. Those of a database stay: its driver
    takes them from nowhere else.
    """
    try:
        parts = urlsplit(uri)
    except ValueError:  # whoever connects says what is wrong with it
        return uri
    userinfo, found, host = parts.netloc.rpartition("@")
    if not found or parts.scheme not in ("http", "https"):
        return uri
    name, _, password = userinfo.partition(":")
    os.environ["MLFLOW_TRACKING_USERNAME"] = unquote(name)
    os.environ["MLFLOW_TRACKING_PASSWORD"] = unquote(password)
    return urlunsplit(parts._replace(netloc=host))
