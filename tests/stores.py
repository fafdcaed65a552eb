"""The stores that several machines share, started on this machine until Ctrl-C: ``make stores``.

PostgreSQL for the studies, an MLflow server on the same PostgreSQL, and a store like S3 for what
that keeps of runs. All come from Python packages and listen on 127.0.0.1. What they hold is removed
at the end: they are for trying, and for tests.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from mlflow_servers import mlflow_server
from servers import postgres

BUCKET = "mlflow"


@dataclass(frozen=True)
class Stores:
    """Where studies, runs and artifacts are kept; ``environment`` is for clients of S3."""

    studies: str
    runs: str
    environment: Mapping[str, str]


@contextmanager
def s3() -> Iterator[Mapping[str, str]]:
    """A store like S3 with one bucket; yields what its clients need in their environment."""
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    reader = None
    try:
        assert server.stderr is not None
        url = None
        for line in server.stderr:
            if at := re.search(r"Running on (http://127\.0\.0\.1:\d+)", line):
                url = at[1]
                break
        if url is None:
            raise RuntimeError(f"the store like S3 ended with {server.wait()}")
        # a pipe that nobody reads fills up, and then the server stands still
        reader = threading.Thread(target=server.stderr.read, daemon=True)
        reader.start()
        environment = {
            "MLFLOW_S3_ENDPOINT_URL": url,
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "key-of-a-store-for-trying",
            "AWS_SECRET_ACCESS_KEY": "secret-of-a-store-for-trying",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        make = f"import boto3; boto3.client('s3').create_bucket(Bucket={BUCKET!r})"
        subprocess.run([sys.executable, "-c", make], env={**os.environ, **environment}, check=True)
        yield environment
    finally:
        server.terminate()
        server.wait()
        if reader:
            reader.join()
        assert server.stderr is not None
        server.stderr.close()


@contextmanager
def stores(folder: Path) -> Iterator[Stores]:
    """All three, with their logs in ``folder``."""
    with postgres(folder) as address, s3() as environment:
        with psycopg.connect(address.replace("+psycopg", ""), autocommit=True) as database:
            database.execute("create database mlflow")
            database.execute("create database studies")
        runs, studies = (f"{address.rpartition('/')[0]}/{name}" for name in ("mlflow", "studies"))
        with mlflow_server(folder, runs, f"s3://{BUCKET}", environment) as server:
            yield Stores(studies, server.url, environment)


def main() -> None:
    """Start them, print their addresses, and wait for Ctrl-C."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with tempfile.TemporaryDirectory(prefix="stores-") as folder, stores(Path(folder)) as made:
        print(f"studies  hydra.sweeper.storage={made.studies}")
        print(f"runs     tracking.uri={made.runs}")
        print("Ctrl-C stops them and removes what they hold", flush=True)
        ended.wait()


if __name__ == "__main__":
    main()
