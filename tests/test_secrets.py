"""Passwords and user names in addresses reach nothing that a sweep writes or shows."""

import os
import subprocess
import sys
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


@pytest.mark.slow
def test_no_secret_rests_anywhere(tmp_path: Path) -> None:
    servers, own = tmp_path / "servers", tmp_path / "own"
    servers.mkdir()
    own.mkdir()
    with postgres(servers) as address, mlflow_server(servers) as server:
        plain = address.replace("+psycopg", "")
        with psycopg.connect(plain, autocommit=True) as database:
            database.execute("create role \"usr-store-5\" superuser login password 'pw-store-7391'")
        store = address.replace("postgres@", "usr-store-5:pw-store-7391@")
        tracking = server.url.replace("://", "://usr-track-2:pw-track-8264@")
        stored, tracked = f"hydra.sweeper.storage={store}", f"tracking.uri={tracking}"
        shown = [
            sweep(own, *SEARCH, stored, tracked),
            sweep(own, *SEARCH, *FAILS, stored, tracked),
            sweep(
                own,
                *SEARCH,
                "name=refused",
                f"{stored}x",
                "tracking.uri=http://usr-track-2:pw-track-8264@127.0.0.1:1",
            ),
            sweep(own, "name=alone", MLFLOW_TRACKING_URI=tracking),
        ]
        kept = rows(plain)
    assert "best trial" in shown[0]
    assert "no trial of fails completed" in shown[1]
    assert "cannot be" in shown[2]
    assert "test accuracy" in shown[3]
    written = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for secret in SECRETS:
        assert not [path for path, content in written.items() if secret.encode() in content]
        assert not [text for text in (*shown, kept) if secret in text]
