"""The head of a Ray cluster: sockets that listen, are closed, and listen again."""

import socket
import threading

import pytest

from sweeper.errors import Outage
from sweeper.execute.on_ray import ray_head
from sweeper.execute.on_ray.ray_head import RayHead


@pytest.fixture(autouse=True)
def each_look_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_head, "_RECENT_SECONDS", 0.0)


def listening(port: int = 0) -> socket.socket:
    return socket.create_server(("127.0.0.1", port))


def port_of(server: socket.socket) -> int:
    return int(server.getsockname()[1])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_it_answers_as_long_as_it_takes_connections(host: str) -> None:
    with listening() as server:
        head = RayHead(f"{host}:{port_of(server)}")
        assert head.answers()
        head.check()
    assert not head.answers()
    head.check()  # it may come back
    with listening(head._port):
        assert head.answers()


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_an_address_of_ipv6_has_brackets() -> None:
    try:
        server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no address of IPv6")
    with server:
        assert RayHead(f"[::1]:{port_of(server)}").answers()


@pytest.mark.parametrize(("limit", "patience"), [("60", 40), ("300", 280), ("10", 5)])
def test_a_sweep_ends_before_ray_ends_it(
    limit: str, patience: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening() as server:
        monkeypatch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", limit)
        head = RayHead(f"127.0.0.1:{port_of(server)}")
    now = 1000.0
    monkeypatch.setattr(ray_head.time, "monotonic", lambda: now)
    head.check()
    now += patience
    head.check()
    now += 1
    with pytest.raises(Outage, match=rf"Ray cluster at 127.* has not answered for {patience + 1} "):
        head.check()
    with pytest.raises(Outage, match="then run the same command again"):
        head.wait()


def test_who_waits_for_it_continues_when_it_answers_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening() as server:
        head = RayHead(f"127.0.0.1:{port_of(server)}")
    looked = threading.Event()
    look = RayHead._look

    def seen(self: RayHead) -> None:
        look(self)
        looked.set()

    monkeypatch.setattr(RayHead, "_look", seen)
    waiting = threading.Thread(target=head.wait)
    waiting.start()
    assert looked.wait(60)
    with listening(head._port):
        waiting.join(60)
        assert not waiting.is_alive()
