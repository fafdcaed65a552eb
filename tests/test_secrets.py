"""Passwords and user names in addresses reach nothing that a sweep writes or shows."""

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import pytest
from clusters import ENVIRONMENT, Nodes
from mlflow_servers import mlflow_server
from servers import postgres
from stores import BUCKET, s3

STORE_USER, STORE_PASSWORD = f"usr-store-{os.getpid()}", f"pw-store-{os.getpid()}"
"""Tests that run at the same time find none of each other's in the process list."""
TRACK_USER, TRACK_PASSWORD = f"usr-track-{os.getpid()}", f"pw-track-{os.getpid()}"
OTHERS = ("secret-of-a-store-for-trying", ENVIRONMENT["RAY_AUTH_TOKEN"])
"""Of the store for artifacts and of the cluster: they are in the environment."""
SECRETS = (STORE_USER, STORE_PASSWORD, TRACK_USER, TRACK_PASSWORD, *OTHERS)
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


def with_password(address: str) -> tuple[str, str]:
    """A database's address of a user with a password, and one without, to look with."""
    plain = address.replace("+psycopg", "")
    with psycopg.connect(plain, autocommit=True) as database:
        role = f"create role \"{STORE_USER}\" superuser login password '{STORE_PASSWORD}'"
        database.execute(role.encode())
    return address.replace("postgres@", f"{STORE_USER}:{STORE_PASSWORD}@"), plain


def tracked(url: str) -> str:
    """The address of a server with a user and a password."""
    return url.replace("://", f"://{TRACK_USER}:{TRACK_PASSWORD}@")


class ProcessList:
    """Looks at the command lines of all processes, again and again, until the block ends."""

    def __init__(self) -> None:
        self.seen: set[tuple[int, str]] = set()
        self._ended = threading.Event()
        self._looking = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._ended.wait(0.02):  # no event of other programs
            for process in psutil.process_iter():
                with contextlib.suppress(psutil.Error):
                    self.seen.add((process.pid, " ".join(process.cmdline())))

    def __enter__(self) -> "ProcessList":
        self._looking.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._looking.join()


def sweep(folder: Path, *words: str, **environment: str) -> str:
    """What a command shows; in the process list its credentials are its own first words at most."""
    with (
        ProcessList() as processes,
        subprocess.Popen(
            [sys.executable, "-m", "sweeper", *RECIPE, *words],
            cwd=folder,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as command,
    ):
        shown, _ = command.communicate()
    # PostgreSQL shows in its own title which user is connected
    others = {seen for seen in processes.seen if not seen[1].startswith(f"postgres: {STORE_USER} ")}
    secret = {seen for seen in others if any(s in seen[1] for s in SECRETS)}
    as_typed = command.pid, " ".join([sys.executable, "-m", "sweeper", *RECIPE, *words])
    assert secret <= {as_typed}
    later = [line for pid, line in processes.seen - {as_typed} if pid == command.pid]
    assert any("+experiment=digits_lite0" in line for line in later) or not secret
    return shown


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
        store, plain = with_password(address)
        yield Servers(store, tracked(server.url), plain)


def check(folder: Path, *shown: str) -> None:
    """See that no secret is in a file, or in what was shown."""
    written = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for secret in SECRETS:
        assert not [path for path, content in written.items() if secret.encode() in content]
        assert not [text for text in shown if secret in text]


@pytest.mark.more
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
    away = f"tracking.uri={tracked('http://127.0.0.1:1')}"
    failed = sweep(tmp_path, *SEARCH, *FAILS, stored, f"tracking.uri={servers.tracking}")
    assert "no trial of fails completed" in failed
    refused = sweep(tmp_path, *SEARCH, "name=refused", f"{stored}x", away)
    assert "cannot be" in refused
    alone = sweep(tmp_path, "name=alone", MLFLOW_TRACKING_URI=servers.tracking)
    assert "test accuracy" in alone
    check(tmp_path, failed, refused, alone, rows(servers.plain))


@pytest.mark.slow
@pytest.mark.more
def test_no_secret_rests_anywhere_on_a_cluster(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    folder, servers = tmp_path / "sweep", tmp_path / "servers"
    folder.mkdir()
    servers.mkdir()
    with (
        # paths of sockets must be short
        tempfile.TemporaryDirectory(prefix="ray-") as of_ray,
        contextlib.closing(Nodes(servers)) as nodes,
        postgres(servers) as address,
        s3() as keys,
        mlflow_server(servers, "", f"s3://{BUCKET}", keys) as server,
    ):
        store, plain = with_password(address)
        nodes.start_all(1, 2, f"--temp-dir={of_ray}")
        shown = sweep(
            folder,
            *(*SEARCH, "hydra.sweeper.executor.kind=ray"),
            f"hydra.sweeper.executor.address={nodes.address}",
            f"hydra.sweeper.storage={store}",
            f"tracking.uri={tracked(server.url)}",
            **{**ENVIRONMENT, **keys},
        )
        assert "best trial" in shown
        check(folder, shown, rows(plain))
        check(Path(of_ray))
