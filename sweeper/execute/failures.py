"""From exceptions and dead processes to failures with a name and a cause."""

import contextlib
import errno
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

from sweeper.errors import MachineFault, TrialFailed
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


_FULL = "free some space on that disk"
_FORBIDDEN = "make that place writable"
_BROKEN = "check that disk"
_ADVICE: Mapping[int, str] = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: "raise the limit of a file's size (ulimit -f)",
    errno.EROFS: _FORBIDDEN,
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "close other programs: the machine has no file handles left",
    errno.EAGAIN: "raise the limit of processes (ulimit -u), or lower hydra.sweeper.n_jobs",
    errno.EIO: _BROKEN,
    errno.ESTALE: _BROKEN,
}
"""What a person can do about a fault of the machine, by the system's error number."""

_SPELLED: Mapping[str, str] = {
    **{os.strerror(number): text for number, text in _ADVICE.items() if number != errno.EAGAIN},
    "database or disk is full": _FULL,
    "attempt to write a readonly database": _FORBIDDEN,
    "disk I/O error": _BROKEN,
    "can't start new thread": _ADVICE[errno.EAGAIN],
    "AF_UNIX path too long": "set TMPDIR to a folder with a shorter path (some 70 bytes at most)",
}
"""The same in messages of libraries with errors of their own: TensorFlow, HDF5, SQLite."""


def failure(error: Exception) -> TrialFailed | MachineFault:
    """Describe an exception that the work raised; the cause is ``OOM`` or ``RAISED``.

    What is the machine's fault and not the work's is a :class:`~sweeper.errors.MachineFault`.
    """
    return machine_fault(error) or TrialFailed(
        described(error), cause=Cause.OOM if is_out_of_memory(error) else Cause.RAISED
    )


def described(error: BaseException) -> str:
    """The kind of ``error`` and its message."""
    return f"{type(error).__name__}: {_message(error)}".removesuffix(": ")


def machine_fault(error: BaseException) -> MachineFault | None:
    """The fault of the machine that ``error``, or one that it was raised from, is about.

    A disk without space, one that may not be written, no file handles, no processes; None where
    ``error`` is about something else.
    """
    for link in _chain(error):
        if isinstance(link, MachineFault):
            return link
        advice = _ADVICE.get(link.errno or 0) if isinstance(link, OSError) else None
        message = _message(link)
        advice = advice or next((a for words, a in _SPELLED.items() if words in message), None)
        if advice:
            return MachineFault(f"{described(link)}; {advice}, then run the same command again")
    return None


def no_log(log: Path, error: OSError) -> MachineFault:
    """What to say where ``log`` cannot be written: nothing can run without one."""
    return machine_fault(error) or MachineFault(
        f"the log {log} cannot be written: {described(error)}; make its folder writable, then run "
        "the same command again"
    )


def no_process(error: OSError | EOFError) -> MachineFault:
    """What to say where the system, or the fork server, starts no process."""
    known = machine_fault(error)
    reason = known.reason if known else described(error)
    return MachineFault(f"no process could be started: {reason}")


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
        out_of_memory: whether the kernel killed a process because it was out of memory meanwhile.
    """
    if exitcode is None or exitcode >= 0:
        reason = f"the process exited without a result (exit code {exitcode})"
        return TrialFailed(reason, cause=Cause.KILLED)
    name = f"signal {-exitcode}"
    with contextlib.suppress(ValueError):
        name = signal.Signals(-exitcode).name
    if name == "SIGKILL" and out_of_memory:
        return TrialFailed("killed by SIGKILL: the machine ran out of memory", cause=Cause.OOM)
    return TrialFailed(f"killed by {name}", cause=Cause.KILLED)


def count_oom_kills(root: Path = Path("/")) -> int:
    """How many processes the kernel killed to free memory, 0 where it does not say.

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
