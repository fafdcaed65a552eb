"""The connection of this process to a Ray cluster, whose nodes get the modules that they lack."""

import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sweeper.errors import ConfigError
from sweeper.execute.on_ray.ray_nodes import on_each_node
from sweeper.execute.on_ray.sent_code import Code, lacks
from sweeper.execute.on_ray.versions import differing, versions
from sweeper.execute.output import output_to

NAMESPACE = "sweeper"

_CONNECT_SECONDS = 10


def connect(
    address: str, log: Path | None = None, runtime_env: Mapping[str, Any] | None = None
) -> None:
    """Connect this process to the cluster at ``address``, unless it is connected.

    Args:
        address: of Ray's head, ``auto`` for the cluster of this machine, ``local`` for a new one
            on this machine, which ends with this process.
        log: for what Ray writes to the screen while it connects.
        runtime_env: what Ray is to bring to the nodes; takes effect where this connects.

    Raises:
        ConfigError: there is no Ray, or nothing answers at ``address``.
    """
    try:
        import ray
    except ImportError:
        raise ConfigError(
            [
                "hydra.sweeper.executor.kind=ray needs Ray, which is not installed; pip install "
                "'sweeper-finetune[ray]' on all machines of the cluster"
            ]
        ) from None
    if ray.is_initialized():
        _log_apart(log)
        return
    if address.startswith("ray://"):
        raise ConfigError(
            [
                f"hydra.sweeper.executor.address={address} is Ray's client, through which no work "
                "can be watched; run the sweep on a machine of the cluster with address=auto, or "
                "submit it with `ray job submit`"
            ]
        )
    try:
        _look_for(_meant(address))
        with _signals_kept(), _quiet(log):
            ray.init(
                address,
                namespace=NAMESPACE,
                runtime_env=dict(runtime_env) if runtime_env else None,
                log_to_driver=False,
                configure_logging=False,
                include_dashboard=False if address == "local" else None,
            )
        _log_apart(log)  # Ray takes handlers away while it connects
    except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        reason = str(error).strip().splitlines()
        raise ConfigError(
            [
                f"hydra.sweeper.executor.address={address}: no Ray cluster answers there "
                f"({reason[0] if reason else type(error).__name__}); start one with "
                "`ray start --head`, name its address, or set address=local"
            ]
        ) from error


def reconnect(address: str, log: Path) -> None:
    """Connect again, with the modules that nodes lack, unless all nodes have the same.

    Raises:
        ConfigError: nodes have packages in other versions; with a sentence for each such node.
    """
    code = Code.of_this_process()
    ours, faults = versions(), []
    for node, theirs in on_each_node(versions).items():
        if isinstance(theirs, Exception):
            faults.append(f"node {node} cannot run anything: {theirs}")
        elif fault := differing(node, theirs, ours):
            faults.append(fault)
    if faults:
        raise ConfigError(faults)
    # a cluster of this process' own runs what this runs
    if address != "local" and any(on_each_node(lacks, code.hashes()).values()):
        import ray

        env = code.runtime_env()
        ray.shutdown()
        connect(address, log, env)


def _meant(address: str) -> str:
    """What Ray takes for ``auto``: the variable, else what was started last on this machine."""
    if address != "auto":
        return address
    last = Path(os.environ.get("RAY_TMPDIR", "/tmp"), "ray", "ray_current_cluster")
    with contextlib.suppress(OSError):
        return os.environ.get("RAY_ADDRESS") or last.read_text().strip()
    return address


def _look_for(address: str) -> None:
    """See whether anything answers at ``host:port``, for which Ray waits for minutes.

    Raises:
        OSError: nothing does.
        ValueError: it names no host.
    """
    host, colon, port = address.rpartition(":")
    if colon and not host:
        raise ValueError(f"{address} names no host")
    if colon and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()


def _log_apart(log: Path | None) -> None:
    """Send to ``log``, or nowhere, what Ray says of nodes that are lost: not to the screen."""
    logger = logging.getLogger("ray")
    logger.propagate = False
    for handler in tuple(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    if log is None:
        logger.addHandler(logging.NullHandler())
    else:
        log.parent.mkdir(parents=True, exist_ok=True)
        logger.addHandler(logging.FileHandler(log, delay=True))
    from ray._private import worker

    # words of nodes that died go to the screen, whatever ``log_to_driver`` says
    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = lambda data, **_: logger.warning("\n".join(data["lines"]))


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Keep the handler of SIGTERM, which Ray replaces by one that exits at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _quiet(log: Path | None) -> Iterator[None]:
    if log is None:
        yield
        return
    with output_to(log):
        yield
