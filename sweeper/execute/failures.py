"""From exceptions and dead processes to failures with a name and a cause."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

from sweeper.errors import TrialFailed
from sweeper.records import Cause

_OUT_OF_MEMORY_CLASSES = frozenset({"MemoryError", "ResourceExhaustedError", "OutOfMemoryError"})
"""By name, since TensorFlow and PyTorch are not imported here."""

_OUT_OF_MEMORY_MESSAGES = (
    "RESOURCE_EXHAUSTED",
    "OOM when allocating",
    "CUDA out of memory",
    "CUDA_ERROR_OUT_OF_MEMORY",
)
"""What XLA, TensorFlow, PyTorch and the CUDA driver say in exceptions of general classes."""


def failure(error: Exception) -> TrialFailed:
    """Describe an exception that the work raised; the cause is ``OOM`` or ``RAISED``."""
    reason = f"{type(error).__name__}: {_message(error)}".removesuffix(": ")
    return TrialFailed(reason, cause=Cause.OOM if is_out_of_memory(error) else Cause.RAISED)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error``, or one that it was raised from or after, says that memory ran out."""
    return any(
        _OUT_OF_MEMORY_CLASSES.intersection(ancestor.__name__ for ancestor in type(link).__mro__)
        or any(words in _message(link) for words in _OUT_OF_MEMORY_MESSAGES)
        for link in _chain(error)
    )


def death(exitcode: int | None, out_of_memory: bool) -> TrialFailed:
    """Describe a process that ended without an outcome.

    Args:
        exitcode: as ``multiprocessing.Process.exitcode`` has it, negative for a signal.
        out_of_memory: whether the kernel killed a process for want of memory meanwhile.
    """
    if exitcode is None or exitcode >= 0:
        reason = f"the process ended without a word (exit code {exitcode})"
        return TrialFailed(reason, cause=Cause.KILLED)
    name = f"signal {-exitcode}"
    with contextlib.suppress(ValueError):
        name = signal.Signals(-exitcode).name
    if name == "SIGKILL" and out_of_memory:
        return TrialFailed("killed by SIGKILL: the machine ran out of memory", cause=Cause.OOM)
    return TrialFailed(f"killed by {name}", cause=Cause.KILLED)


def count_oom_kills(root: Path = Path("/")) -> int:
    """How many processes the kernel has killed for want of memory, 0 where it does not say.

    In our own control group where that is counted (cgroup v2 ``memory.events``), else on the
    whole machine (``/proc/vmstat``); both are described in the kernel's admin guide.
    """
    for counters in (*_own_control_group(root), root / "proc/vmstat"):
        with contextlib.suppress(OSError):
            for line in counters.read_text().splitlines():
                name, _, count = line.partition(" ")
                if name == "oom_kill":
                    return int(count)
    return 0


def _own_control_group(root: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            # version 2 is hierarchy 0 and has no controllers of its own in this list
            if line.startswith("0::/"):
                yield root / "sys/fs/cgroup" / line.removeprefix("0::/") / "memory.events"


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop()
        # chains may be circular, and exceptions need not be hashable
        if link is None or any(link is known for known in seen):
            continue
        seen.append(link)
        yield link
        waiting += [link.__cause__, link.__context__]


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        # a message that cannot be shown must not hide the failure
        return "(its message cannot be shown)"
