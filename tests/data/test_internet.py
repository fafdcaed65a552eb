"""Servers on this machine stand in for the internet."""

import http.server
import socket
import threading
from collections.abc import Iterator

import pytest

from sweeper.data.sources.internet import any_answers


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def serve(status: int) -> http.server.HTTPServer:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def answers(status: int) -> bool:
    with serve(status) as server:
        found = any_answers([f"http://127.0.0.1:{server.server_port}/"])
        server.shutdown()
        return found


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes the connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"


@pytest.mark.parametrize(
    ("status", "found"), [(200, True), (404, True), (403, False), (502, False)]
)
def test_a_page_counts_and_a_proxy_s_refusal_does_not(status, found):
    assert answers(status) is found


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert not any_answers([f"http://127.0.0.1:{port}/", "not an address"])


def test_silence_ends_at_the_limit(silent):
    assert not any_answers([silent], seconds=0.2)


def test_one_answer_is_enough(silent):
    with serve(200) as server:
        assert any_answers([silent, f"http://127.0.0.1:{server.server_port}/"], seconds=20)
        server.shutdown()
