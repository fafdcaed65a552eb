"""Passwords and user names in addresses reach nothing that a sweep writes or shows."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from mlflow_servers import mlflow_server
from servers import postgres

SECRETS = ("pw-store-7391", "usr-store-5", "pw-track-8264", "usr-track-2")
RECIPE = (
    *("+experiment=digits_lite0", "image_size=32", "dataset.fraction=0.2"),
    *("phases.unfrozen=null", "phases.frozen.epochs=1"),
)
SEARCH = ("-m", "~hydra.sweeper.params", "batch_size=16,32", "hydra.sweeper.n_trials=1")
FAILS = ("name=fails", "hydra.sweeper.trial_timeout=0.1", "hydra.sweeper.retries.timeout=0")


def rows(address: str) -> str:
    """All that the database at ``address`` holds, as text."""
    with psycopg.connect(address) as database:
        tables = "select tablename from pg_tables where schemaname = 'public'"
        names = [name for (name,) in database.execute(tables)]
        return "\n".join(str(database.execute(f'select * from "{n}"').fetchall()) for n in names)


def sweep(folder: Path, *words: str, **environment: str) -> str:
    """What a command shows."""
    ended = subprocess.run(
        [sys.executable, "-m", "sweeper", *RECIPE, *words],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return f"{ended.stdout}{ended.stderr}"


@dataclass(frozen=True)
class Servers:
    """Both with a user and a password in their addresses, and one without, to look with."""

    store: str
    tracking: str
    plain: str


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    folder = tmp_path / "servers"
    folder.mkdir()
    with postgres(folder) as address, mlflow_server(folder) as server:
        plain = address.replace("+psycopg", "")
        with psycopg.connect(plain, autocommit=True) as database:
            database.execute("create role \"usr-store-5\" superuser login password 'pw-store-7391'")
        store = address.replace("postgres@", "usr-store-5:pw-store-7391@")
        yield Servers(store, server.url.replace("://", "://usr-track-2:pw-track-8264@"), plain)


def check(folder: Path, *shown: str) -> None:
    """See that no secret is in a file, or in what was shown."""
    written = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for secret in SECRETS:
        assert not [path for path, content in written.items() if secret.encode() in content]
        assert not [text for text in shown if secret in text]


@pytest.mark.slow
def test_no_secret_rests_anywhere(tmp_path: Path, servers: Servers) -> None:
    stored = f"hydra.sweeper.storage={servers.store}", f"tracking.uri={servers.tracking}"
    shown = sweep(tmp_path, *SEARCH, *stored)
    assert "best trial" in shown
    check(tmp_path, shown, rows(servers.plain))


@pytest.mark.slow
@pytest.mark.more
def test_no_secret_rests_anywhere_when_all_fails(tmp_path: Path, servers: Servers) -> None:
    stored = f"hydra.sweeper.storage={servers.store}"
    away = "tracking.uri=http://usr-track-2:pw-track-8264@127.0.0.1:1"
    failed = sweep(tmp_path, *SEARCH, *FAILS, stored, f"tracking.uri={servers.tracking}")
    assert "no trial of fails completed" in failed
    refused = sweep(tmp_path, *SEARCH, "name=refused", f"{stored}x", away)
    assert "cannot be" in refused
    alone = sweep(tmp_path, "name=alone", MLFLOW_TRACKING_URI=servers.tracking)
    assert "test accuracy" in alone
    check(tmp_path, failed, refused, alone, rows(servers.plain))
