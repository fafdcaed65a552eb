"""Whether runs can be recorded, seen in milliseconds: MLflow is not imported, nothing is made."""

import base64
import json
import os
import shlex
import sqlite3
import urllib.error
import urllib.parse
import urllib.request
from contextlib import closing
from http.client import HTTPException
from pathlib import Path

from sweeper.addresses import move_credentials, redact, sqlite_file
from sweeper.disk.writable import unwritable_database

_ANSWER_SECONDS = 10
_DATABASES = ("postgresql", "mysql", "mssql")
"""What MLflow keeps runs in, beside SQLite."""
_OTHER = "set tracking.uri=<uri> or MLFLOW_TRACKING_URI to another store"


def tracking_faults(uri: str, experiment: str) -> list[str]:
    """What keeps runs from being recorded in ``experiment`` at ``uri``; nothing for other stores.

    Whether a database on a server answers, or a store of a plugin, is known when it is opened.
    """
    file = sqlite_file(uri)
    if file is not None:
        return _file_faults(uri, file, experiment)
    if uri.startswith("sqlite:"):
        return [f"tracking.uri={uri} would be gone with this process; set it to sqlite:///<file>"]
    if uri.startswith(_DATABASES):
        return _address_faults(uri)
    if uri.startswith(("http://", "https://")):
        return _server_faults(move_credentials(uri), experiment)
    if "://" not in uri and uri != "databricks":
        return [
            f"tracking.uri={uri} is no address, and MLflow keeps runs in plain folders no more; "
            "set it to sqlite:///<file> or http://<server>"
        ]
    return []


def _file_faults(uri: str, file: Path, experiment: str) -> list[str]:
    reason = unwritable_database(file.absolute())
    if reason:
        return [f"MLflow at {uri} cannot be used: {reason}, or {_OTHER}"]
    if not file.exists():
        return []
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as store:
            known = "select name from sqlite_master where name = 'experiments'"
            if store.execute(known).fetchone() is None:
                return []  # its tables are still to be made
            query = "select experiment_id, lifecycle_stage from experiments where name = ?"
            found = store.execute(query, (experiment,)).fetchone()
    except sqlite3.OperationalError:
        return []  # locked for a moment, or of a version that has other tables: MLflow will say
    except (sqlite3.DatabaseError, UnicodeEncodeError) as error:
        return [f"MLflow at {uri} cannot be used: {error}; {_OTHER}"]
    if found and found[1] == "deleted":
        return [_deleted(uri, experiment, str(found[0]))]
    return []


def _address_faults(uri: str) -> list[str]:
    from sqlalchemy import make_url
    from sqlalchemy.exc import SQLAlchemyError

    try:
        make_url(uri)
    except (SQLAlchemyError, ValueError):
        example = "postgresql://<user>@<host>:<port>/<database>"
        return [f"tracking.uri={redact(uri)} is no address; set it to one as {example}"]
    return []


def _server_faults(uri: str, experiment: str) -> list[str]:
    name = urllib.parse.urlencode({"experiment_name": experiment})
    address = f"{uri.rstrip('/')}/api/2.0/mlflow/experiments/get-by-name?{name}"
    try:
        request = urllib.request.Request(address, headers=_authorization())
        with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as answer:
            found = json.load(answer)["experiment"]
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            return [
                f"MLflow at {redact(uri)} refuses its user ({error.code} {error.reason}); "
                "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
            ]
        return []  # it is there: the experiment is still to be made
    except (OSError, ValueError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        return [f"MLflow at {redact(uri)} cannot be used: {reason}; start that server, or {_OTHER}"]
    except (KeyError, TypeError):
        return []
    if found.get("lifecycle_stage") == "deleted":
        return [_deleted(uri, experiment, str(found.get("experiment_id")))]
    return []


def _authorization() -> dict[str, str]:
    name, password = (
        os.environ.get(f"MLFLOW_TRACKING_{key}", "") for key in ("USERNAME", "PASSWORD")
    )
    if not name:
        token = os.environ.get("MLFLOW_TRACKING_TOKEN")
        return {"Authorization": f"Bearer {token}"} if token else {}
    basic = base64.b64encode(f"{name}:{password}".encode()).decode()
    return {"Authorization": f"Basic {basic}"}


def _deleted(uri: str, experiment: str, number: str) -> str:
    restore = f"MLFLOW_TRACKING_URI={shlex.quote(redact(uri))}"
    return (
        f"MLflow's experiment {experiment} is deleted; set tracking.experiment=<other name>, or "
        f"restore it: {restore} mlflow experiments restore --experiment-id {number}"
    )
