"""Real MLflow servers for tests, which stop, hang and fail when they are asked to."""

import http.client
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from servers import free_port

_ON_ITS_WAY = ("connection", "host", "transfer-encoding", "content-length")


class MlflowServer:
    """A server with a database and an artifact store of its own in ``folder``.

    ``store`` and ``artifacts`` are addresses of others, ``environment`` is what it needs for them.
    """

    def __init__(
        self,
        folder: Path,
        port: int = 0,
        store: str = "",
        artifacts: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.store = store or f"sqlite:///{folder}/server.db"
        self.artifacts = artifacts or str(folder / "artifacts")
        self.environment = environment or {}
        self._port = port
        self.url = ""
        self.start()

    def start(self) -> None:
        """Start it, again on the port that it had."""
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"]
        # a port found free beforehand may be another's by the time the server takes it
        command += ["--port", str(self._port), "--workers", "1"]
        command += ["--backend-store-uri", self.store]
        command += ["--artifacts-destination", self.artifacts]
        self._process = subprocess.Popen(
            command,
            cwd=self.folder,
            env={
                **os.environ,
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
                **self.environment,
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stderr is not None
        printed = []
        for line in self._process.stderr:
            printed.append(line)
            if at := re.search(r"Uvicorn running on (http://127\.0\.0\.1:(\d+))", line):
                self.url, self._port = at[1], int(at[2])
                # a pipe that nobody reads fills up, and then the server stands still
                self._reader = threading.Thread(target=self._process.stderr.read, daemon=True)
                self._reader.start()
                return
        raise RuntimeError("the server ended before it ran:\n" + "".join(printed))

    def stop(self) -> None:
        """End it, whether it hangs or not."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        self._process.wait()
        self._reader.join()
        assert self._process.stderr is not None
        self._process.stderr.close()

    def signal(self, number: int) -> None:
        """Send its processes a signal."""
        os.killpg(self._process.pid, number)


@contextmanager
def mlflow_server(
    folder: Path,
    store: str = "",
    artifacts: str = "",
    environment: Mapping[str, str] | None = None,
) -> Iterator[MlflowServer]:
    server = MlflowServer(folder, 0, store, artifacts, environment)
    try:
        yield server
    finally:
        server.stop()


Fate = Callable[[str, str], str]
"""From method and path of a request to what happens to it: ``pass``; ``fail``, it is answered 500;
``lose``, the server does what it asks, and its answer is lost."""


class Proxy(ThreadingHTTPServer):
    """Stands before the server at ``upstream``; ``fate`` decides about each request."""

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", free_port()), _Handler)
        self.upstream = urlsplit(upstream).netloc
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.fate: Fate = lambda _method, _path: "pass"
        self.changes: list[str] = []
        """Paths of the requests that changed something, in the order in which they came."""

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has gone is none of ours."""


class _Handler(BaseHTTPRequestHandler):
    server: Proxy
    protocol_version = "HTTP/1.0"

    def _relay(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fate = self.server.fate(self.command, self.path)
        if fate == "fail":
            self.send_error(500)
            return
        if self.command != "GET" and "search" not in self.path and self.command != "HEAD":
            self.server.changes.append(self.path.split("?")[0])
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _ON_ITS_WAY}
        upstream = http.client.HTTPConnection(self.server.upstream)
        try:
            upstream.request(self.command, self.path, body, headers)
            answer = upstream.getresponse()
            content = answer.read()
        finally:
            upstream.close()
        if fate == "lose":
            self.close_connection = True
            return
        self.send_response(answer.status)
        for key, value in answer.getheaders():
            if key.lower() not in _ON_ITS_WAY:
                self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _relay  # noqa: N815

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@contextmanager
def proxy(upstream: str) -> Iterator[Proxy]:
    with Proxy(upstream) as made:
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        try:
            yield made
        finally:
            made.shutdown()
            thread.join()
