"""The head of the cluster, which has its state: whether it answers.

Without it actors live on, but whoever asks for the cluster's state waits, and Ray ends that
process after a limit. So nothing is asked while the head does not answer, and the sweep is ended in
good order before Ray ends it.
"""

import os
import socket
import threading
import time

from sweeper.errors import Outage

LOOK_SECONDS = 5.0
"""Who waits for something of the cluster looks at its head this often."""

_RECENT_SECONDS = 1.0
"""How long the last look counts: any number of threads ask."""

_CONNECT_SECONDS = 5.0

_LIMIT_NAME, _LIMIT_SECONDS = "RAY_gcs_rpc_server_reconnect_timeout_s", 60.0
"""Ray's variable for that limit, and its default; in ``ray_config_def.h`` of its sources."""

_TO_END = 20.0
"""Seconds before Ray's limit at which a sweep begins to end: for its last records and files."""


class RayHead:
    """The head at ``address``, ``host:port``."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._address = address
        self._host, self._port = host.strip("[]"), int(port)
        limit = float(os.environ.get(_LIMIT_NAME, _LIMIT_SECONDS))
        self._patience = max(limit - _TO_END, limit / 2)
        self._lock = threading.Lock()
        self._looked = -_RECENT_SECONDS
        self._silent_since: float | None = None

    @classmethod
    def of_this_process(cls) -> "RayHead":
        """That of the cluster to which this process is connected."""
        import ray

        return cls(ray.get_runtime_context().gcs_address)

    def answers(self) -> bool:
        """Whether something takes connections there, now or within the last second."""
        with self._lock:
            if time.monotonic() - self._looked >= _RECENT_SECONDS:
                self._look()
            return self._silent_since is None

    def check(self) -> None:
        """Raise Outage where it has not answered for too long."""
        if self.answers():
            return
        since = self._silent_since
        silence = 0.0 if since is None else time.monotonic() - since
        if silence > self._patience:
            raise Outage(
                f"the head of the Ray cluster at {self._address} has not answered for "
                f"{silence:.0f} s; see that the cluster runs, then run the same command again"
            )

    def wait(self) -> None:
        """Wait until it answers.

        Raises:
            Outage: it has not for too long.
        """
        while not self.answers():
            self.check()
            time.sleep(_RECENT_SECONDS)

    def _look(self) -> None:
        try:
            socket.create_connection((self._host, self._port), timeout=_CONNECT_SECONDS).close()
        except OSError:
            if self._silent_since is None:
                self._silent_since = time.monotonic()
        else:
            self._silent_since = None
        self._looked = time.monotonic()
