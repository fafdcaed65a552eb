"""Real clusters of Ray on this machine for tests, whose nodes die when they are asked to."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
from patience import PATIENCE

ENVIRONMENT = {
    **os.environ,
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": "a-token-of-these-tests-739152",
}


class Nodes:
    """A cluster of this machine, whose nodes are processes with two processors each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.started: list[subprocess.Popen[bytes]] = []
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        self.address = f"127.0.0.1:{port}"

    def start(self, *words: str, hidden: Sequence[Path] = ()) -> None:
        """Start a node; one that sees other, empty folders in place of ``hidden`` ones."""
        ray = Path(sys.executable).with_name("ray")
        mounts = "".join(f"mount -t tmpfs none '{folder}' && " for folder in hidden)
        options = f"--node-ip-address=127.0.0.1 --block {' '.join(words)}"
        command = ["sh", "-c", f"{mounts}exec '{ray}' start {options}"]
        log = self._folder / f"node-{len(self.started)}.log"
        with log.open("wb") as output:
            node = subprocess.Popen(
                [*(["unshare", "--mount"] if hidden else []), *command],
                cwd="/",
                env=ENVIRONMENT,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.started.append(node)
        deadline = time.monotonic() + PATIENCE
        while b"Ray runtime started" not in log.read_bytes():  # no event of another program
            assert node.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)

    def start_all(self, others: int, of_head: int = 2, *words: str) -> None:
        """Start a head and so many more nodes; ``words`` are the head's."""
        port = self.address.rpartition(":")[2]
        head = "--head", f"--port={port}", f"--num-cpus={of_head}", "--include-dashboard=false"
        self.start(*head, *words)
        for _ in range(others):
            self.start(f"--address={self.address}", "--num-cpus=2")

    def kill_one(self, which: int = -1) -> None:
        """As when the machine loses its power; the head is the first."""
        kill_all(self.started.pop(which))

    def close(self) -> None:
        while self.started:
            self.kill_one()


def kill_all(node: "subprocess.Popen[bytes]") -> None:
    """Kill what runs on a node, and it."""
    processes = [*psutil.Process(node.pid).children(recursive=True), node]
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    node.wait(PATIENCE)
