"""Exceptions and exit codes become causes."""

import errno
from pathlib import Path

import pytest

from sweeper.errors import MachineFault, TrialFailed
from sweeper.execute.failures import count_oom_kills, death, failure, is_out_of_memory
from sweeper.records import Cause


class ResourceExhaustedError(Exception):
    """Named as TensorFlow's."""


class OutOfMemoryError(RuntimeError):
    """Named as PyTorch's."""


class DeviceError(OutOfMemoryError):
    """A subclass of it."""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        ResourceExhaustedError("OOM"),
        DeviceError("no room"),
        RuntimeError("XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory while trying to allocate"),
        RuntimeError("OOM when allocating tensor with shape[64,112,112,64]"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("failed to allocate: CUDA_ERROR_OUT_OF_MEMORY: out of memory"),
    ],
    ids=str,
)
def test_out_of_memory_is_known_by_class_and_by_message(error: Exception) -> None:
    assert is_out_of_memory(error)
    failed = failure(error)
    assert isinstance(failed, TrialFailed)
    assert failed.cause is Cause.OOM
    for hide in ("cause", "context"):
        outer = ValueError("the epoch failed")
        setattr(outer, f"__{hide}__", error)
        assert is_out_of_memory(outer)


@pytest.mark.parametrize(
    "error", [ValueError("memory"), FileNotFoundError(2, "No such file"), KeyError("OOM")], ids=str
)
def test_other_errors_are_not(error: Exception) -> None:
    failed = failure(error)
    assert isinstance(failed, TrialFailed)
    assert failed.cause is Cause.RAISED


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "learned.npz"), "free some space"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "free some space"),
        (OSError(errno.EROFS, "Read-only file system"), "writable"),
        (OSError(errno.EMFILE, "Too many open files"), "ulimit -n"),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), "ulimit -u"),
        (OSError(errno.EIO, "Input/output error"), "that disk"),
        (RuntimeError("can't start new thread"), "ulimit -u"),
        # of TensorFlow, which has the same class for memory; of HDF5; of SQLite
        (ResourceExhaustedError("checkpoint/x; No space left on device"), "free some space"),
        (OSError("Can't write data (errno = 28, 'No space left on device')"), "free some space"),
        (RuntimeError("(sqlite3.OperationalError) database or disk is full"), "free some space"),
    ],
    ids=str,
)
def test_a_fault_of_the_machine_is_no_failure_of_the_work(error: Exception, advice: str) -> None:
    outer = ValueError("the epoch failed")
    outer.__cause__ = error
    for raised in (error, outer):
        found = failure(raised)
        assert isinstance(found, MachineFault)
        assert str(error) in found.reason
        assert advice in found.reason


def test_a_circle_of_causes_ends() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__context__ = second, first
    assert not is_out_of_memory(first)
    second.__cause__ = MemoryError()
    assert is_out_of_memory(first)


def test_the_reason_names_the_class() -> None:
    assert failure(ValueError("lr: -1")).reason == "ValueError: lr: -1"
    assert failure(ValueError()).reason == "ValueError"


def test_a_message_that_cannot_be_shown_hides_nothing() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise TypeError

    assert failure(Broken()).reason == "Broken: (its message cannot be shown)"


@pytest.mark.parametrize(
    ("exitcode", "out_of_memory", "reason", "cause"),
    [
        (-9, False, "killed by SIGKILL", Cause.KILLED),
        (-9, True, "killed by SIGKILL: the machine ran out of memory", Cause.OOM),
        (-11, True, "killed by SIGSEGV", Cause.KILLED),
        (-99, False, "killed by signal 99", Cause.KILLED),
        (1, True, "the process exited without a result (exit code 1)", Cause.KILLED),
    ],
)
def test_deaths_have_names(exitcode: int, out_of_memory: bool, reason: str, cause: Cause) -> None:
    failed = death(exitcode, out_of_memory)
    assert (failed.reason, failed.cause) == (reason, cause)


class TestCountOomKills:
    """On copies of what kernels show."""

    @staticmethod
    def write(root: Path, path: str, text: str) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)

    def test_our_own_control_group_comes_first(self, tmp_path: Path) -> None:
        self.write(tmp_path, "proc/vmstat", "nr_free_pages 1\noom_kill 7\n")
        self.write(tmp_path, "proc/self/cgroup", "0::/user.slice/ours\n")
        assert count_oom_kills(tmp_path) == 7
        self.write(
            tmp_path,
            "sys/fs/cgroup/user.slice/ours/memory.events",
            "low 0\nhigh 0\nmax 3\noom 2\noom_kill 1\noom_group_kill 0\n",
        )
        assert count_oom_kills(tmp_path) == 1

    def test_a_container_sees_its_group_as_the_root(self, tmp_path: Path) -> None:
        self.write(tmp_path, "proc/self/cgroup", "4:memory:/docker/x\n0::/\n")
        self.write(tmp_path, "sys/fs/cgroup/memory.events", "oom 2\noom_kill 2\n")
        assert count_oom_kills(tmp_path) == 2

    def test_a_system_that_does_not_say_counts_none(self, tmp_path: Path) -> None:
        assert count_oom_kills(tmp_path) == 0

    def test_this_system_answers(self) -> None:
        assert count_oom_kills() >= 0
