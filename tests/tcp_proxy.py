"""Stands between a client and a server on loopback: delays what passes, or loses answers."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_CHUNK = 65536


class TcpProxy:
    """Forwards each connection to ``port`` of this machine.

    Args:
        port: of the server.
    """

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.delay = 0.0
        """Seconds by which everything is delayed, in both directions."""
        self.loses: Callable[[bytes], bool] = lambda _request: False
        """Whether the server gets a request, and its client the end of the connection for an
        answer."""
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._upstream))
                self._open += [client, server]
                for forward in (self._requests, self._answers):
                    threading.Thread(target=forward, args=(client, server), daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(_CHUNK):
                time.sleep(self.delay)
                if self.loses(data):
                    client.shutdown(socket.SHUT_RDWR)
                server.sendall(data)
        # what it was asked for it does, whoever is there for the answer
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _answers(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(_CHUNK):
                time.sleep(self.delay)
                with contextlib.suppress(BrokenPipeError):
                    client.sendall(data)
        _end(client, server)

    def close(self) -> None:
        """End all connections."""
        _end(self._listening, *self._open)


def _end(*sockets: socket.socket) -> None:
    for one in sockets:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()


@contextmanager
def tcp_proxy(port: int) -> Iterator[TcpProxy]:
    made = TcpProxy(port)
    try:
        yield made
    finally:
        made.close()
