"""Real processes: they speak, raise, hang, die, and leave nothing behind."""

import itertools
import math
import os
import resource
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import forkserver
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from patience import PATIENCE

from sweeper.errors import MachineFault, TrialFailed
from sweeper.execute import process, worker
from sweeper.execute.executor import Channel, Placement, SilentChannel
from sweeper.execute.process import ProcessExecutor
from sweeper.records import Attribute, Cause, Constraint, Decision, EpochReport

IGNORE = SilentChannel()


class Ask(SilentChannel):
    """Answers each report as the function given says."""

    def __init__(self, answer: Callable[[EpochReport], object]) -> None:
        self._answer = answer

    def report(self, report: EpochReport) -> Decision:
        answer = self._answer(report)
        return answer if isinstance(answer, Decision) else Decision()


@pytest.fixture(scope="module")
def executor(tmp_path_factory: pytest.TempPathFactory) -> ProcessExecutor:
    return ProcessExecutor(("json",), tmp_path_factory.mktemp("server") / "server.log")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def await_end(pid: int) -> None:
    """Return when the process has ended; fail when it does not."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], 30)[0], f"process {pid} still runs"
    finally:
        os.close(descriptor)


def hang(channel: Channel) -> None:
    """Say who works here, start a subprocess, and never end."""
    child = subprocess.Popen(["sleep", "600"])
    channel.report(EpochReport(os.getpid(), child.pid))
    time.sleep(600)


def test_work_runs_in_a_process_of_its_own(executor: ProcessExecutor, log: Path) -> None:
    first, second = (executor.run(lambda _: os.getpid(), log, IGNORE) for _ in "ab")
    assert len({first, second, os.getpid()}) == 3


def test_closures_travel_and_output_goes_to_the_log(
    executor: ProcessExecutor, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    factor = 3

    def work(_channel: Channel) -> int:
        print("from python")  # buffered, were it not reported otherwise
        os.write(2, b"from below python\n")
        return 14 * factor

    assert executor.run(work, tmp_path / "deep" / "log", IGNORE) == 42
    assert (tmp_path / "deep" / "log").read_text() == "from python\nfrom below python\n"
    assert capfd.readouterr() == ("", "")


def test_what_is_larger_than_a_pipe_travels(executor: ProcessExecutor, log: Path) -> None:
    data = os.urandom(3_000_000)
    assert executor.run(lambda _: data + data, log, IGNORE) == data + data


def test_an_exception_brings_the_tail_of_the_log(executor: ProcessExecutor, log: Path) -> None:
    def work(_channel: Channel) -> None:
        print("last words")
        raise KeyError("nothing here")

    with pytest.raises(TrialFailed, match="KeyError: 'nothing here'") as caught:
        executor.run(work, log, IGNORE)
    assert "last words" in caught.value.log_tail
    assert "Traceback" in caught.value.log_tail


def test_a_failure_of_the_work_keeps_its_cause_and_gets_the_tail(
    executor: ProcessExecutor, log: Path
) -> None:
    def work(_channel: Channel) -> None:
        print("last words")
        raise TrialFailed("the task returned nan", cause=Cause.NONSENSE)

    with pytest.raises(TrialFailed) as caught:
        executor.run(work, log, IGNORE)
    assert (caught.value.cause, caught.value.log_tail) == (Cause.NONSENSE, "last words")


def test_a_killed_process_is_a_failure_with_a_name(executor: ProcessExecutor, log: Path) -> None:
    def work(channel: Channel) -> None:
        print("alive")
        channel.report(EpochReport(0, 0.5))
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(TrialFailed) as caught:
        executor.run(work, log, IGNORE)
    assert caught.value.reason == "killed by SIGKILL"
    assert caught.value.cause is Cause.KILLED
    assert caught.value.log_tail == "alive"


def test_a_kill_for_want_of_memory_is_distinguished(
    executor: ProcessExecutor, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kills = itertools.count()
    monkeypatch.setattr(process, "count_oom_kills", lambda: next(kills))
    with pytest.raises(TrialFailed, match="killed by SIGKILL: the machine ran out of") as caught:
        executor.run(lambda _: os.kill(os.getpid(), signal.SIGKILL), log, IGNORE)
    assert caught.value.cause is Cause.OOM
    with pytest.raises(TrialFailed, match="killed by SIGTERM") as caught:
        executor.run(lambda _: os.kill(os.getpid(), signal.SIGTERM), log, IGNORE)
    assert caught.value.cause is Cause.KILLED


def test_an_exit_without_a_message_is_a_failure_with_a_name(
    executor: ProcessExecutor, log: Path
) -> None:
    for leave in (os._exit, sys.exit):
        with pytest.raises(TrialFailed, match=r"without a result \(exit code 3\)") as caught:
            executor.run(lambda _, leave=leave: leave(3), log, IGNORE)
        assert caught.value.cause is Cause.KILLED


def test_death_is_noticed_while_a_grandchild_holds_the_pipe(
    executor: ProcessExecutor, log: Path
) -> None:
    def work(channel: Channel) -> None:
        grandchild = os.fork()
        if grandchild == 0:
            os.setsid()  # out of reach for the one who ends the worker's group
            time.sleep(600)
        channel.report(EpochReport(grandchild, 0.5))
        os._exit(3)

    grandchildren: list[int] = []
    try:
        with pytest.raises(TrialFailed, match="exit code 3"):
            executor.run(work, log, Ask(lambda report: grandchildren.append(report.step)))
    finally:
        os.kill(grandchildren[0], signal.SIGKILL)


def test_a_death_while_the_controller_thinks_is_noticed(
    executor: ProcessExecutor, log: Path
) -> None:
    def strike(report: EpochReport) -> None:
        os.kill(report.step, signal.SIGKILL)
        await_end(report.step)

    with pytest.raises(TrialFailed, match="killed by SIGKILL"):
        executor.run(hang, log, Ask(strike))


def test_what_cannot_travel_is_a_failure_with_a_name(executor: ProcessExecutor, log: Path) -> None:
    class Unreadable:
        def __reduce__(self) -> tuple[Any, ...]:
            return int, ("no number",)

    lock = threading.Lock()
    for work, reason in {
        lambda _: lock: "the work cannot be sent: TypeError: cannot pickle",
        lambda _: threading.Lock(): "what the work returned cannot be sent: TypeError: cannot p",
        lambda _: Unreadable(): "what the work sent cannot be read: ValueError: invalid literal",
    }.items():
        with pytest.raises(TrialFailed) as caught:
            executor.run(work, log, IGNORE)
        assert caught.value.reason.startswith(reason)
        assert caught.value.cause is Cause.RAISED


def test_what_the_controller_raises_ends_the_worker(executor: ProcessExecutor, log: Path) -> None:
    received: list[EpochReport] = []

    def interrupt(report: EpochReport) -> None:
        received.append(report)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        executor.run(hang, log, Ask(interrupt))
    with pytest.raises(ProcessLookupError):
        os.kill(received[0].step, 0)
    await_end(int(received[0].value))


def test_what_a_worker_started_ends_with_it(executor: ProcessExecutor, log: Path) -> None:
    child = executor.run(lambda _: subprocess.Popen(["sleep", "600"]).pid, log, IGNORE)
    await_end(child)


def test_threads_of_the_work_each_get_their_own_decision(
    executor: ProcessExecutor, log: Path
) -> None:
    def work(channel: Channel) -> list[str]:
        with ThreadPoolExecutor(4) as pool:
            steps = range(200)
            return [d.reason for d in pool.map(lambda n: channel.report(EpochReport(n, 0)), steps)]

    answers = executor.run(work, log, Ask(lambda report: Decision(reason=str(report.step))))
    assert answers == [str(step) for step in range(200)]


class TestTimeout:
    def test_it_ends_the_work_and_says_where_it_hung(
        self, executor: ProcessExecutor, log: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pids: list[int] = []

        def lost_in_thought(channel: Channel) -> None:
            channel.note(Attribute("pid", os.getpid()))
            time.sleep(600)

        class AMinutePasses(SilentChannel):
            def note(self, note: Attribute | Constraint) -> None:
                pids.append(int(str(note.value)))
                monkeypatch.setattr(worker, "time", SimpleNamespace(monotonic=lambda: math.inf))

        with pytest.raises(TrialFailed) as caught:
            executor.run(lost_in_thought, log, AMinutePasses(), timeout=60)
        assert caught.value.reason == "no end after 60 s"
        assert caught.value.cause is Cause.TIMEOUT
        assert "in lost_in_thought" in caught.value.log_tail
        with pytest.raises(ProcessLookupError):
            os.kill(pids[0], 0)

    def test_a_wait_for_the_answer_to_a_report_does_not_count(
        self, executor: ProcessExecutor, log: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def work(channel: Channel) -> int:
            channel.report(EpochReport(0, 0))
            channel.note(Attribute("pid", os.getpid()))
            return 7

        def a_day_passes(_report: EpochReport) -> None:
            real = time.monotonic
            later = SimpleNamespace(monotonic=lambda: real() + 24 * 3600)
            monkeypatch.setattr(worker, "time", later)

        assert executor.run(work, log, Ask(a_day_passes), timeout=PATIENCE) == 7

    def test_talking_does_not_prolong_it(self, executor: ProcessExecutor, log: Path) -> None:
        def work(channel: Channel) -> None:
            for step in itertools.count():
                channel.note(Attribute("step", step))

        class Slow(SilentChannel):
            def note(self, _note: Attribute | Constraint) -> None:
                time.sleep(0.001)  # so that the next one is always there already

        with pytest.raises(TrialFailed, match=r"no end after 0\.5 s"):
            executor.run(work, log, Slow(), timeout=0.5)

    def test_an_outcome_that_is_there_counts_however_late_it_is_received(
        self, executor: ProcessExecutor, log: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def work(channel: Channel) -> int:
            channel.note(Attribute("pid", os.getpid()))
            return 7

        class Slow(SilentChannel):
            def note(self, note: Attribute | Constraint) -> None:
                await_end(int(str(note.value)))
                monkeypatch.setattr(worker, "time", SimpleNamespace(monotonic=lambda: math.inf))

        assert executor.run(work, log, Slow(), timeout=PATIENCE) == 7


class TestPlace:
    def test_it_holds_before_the_work_is_unpickled(
        self, executor: ProcessExecutor, log: Path
    ) -> None:
        class Work:
            def __reduce__(self) -> tuple[Any, ...]:
                def unpickle() -> Callable[[Channel], Any]:
                    seen = os.environ["CUDA_VISIBLE_DEVICES"], os.sched_getaffinity(0)
                    return lambda _: seen

                return unpickle, ()

        core = min(os.sched_getaffinity(0))
        place = Placement("gpu 3", {"CUDA_VISIBLE_DEVICES": "3"}, frozenset({core}))
        assert executor.run(Work(), log, IGNORE, place) == ("3", {core})  # type: ignore[arg-type]
        assert os.environ.get("CUDA_VISIBLE_DEVICES") != "3"

    def test_without_one_all_is_as_in_the_controller(
        self, executor: ProcessExecutor, log: Path
    ) -> None:
        assert executor.run(lambda _: os.sched_getaffinity(0), log, IGNORE) == (
            os.sched_getaffinity(0)
        )


class TestSeveralThreads:
    def test_workers_run_at_once(self, executor: ProcessExecutor, tmp_path: Path) -> None:
        everyone = threading.Barrier(4, timeout=PATIENCE)

        def work(channel: Channel) -> int:
            channel.report(EpochReport(0, 0.5))
            return os.getpid()

        def run(slot: int) -> int:
            meet = Ask(lambda _: everyone.wait())
            return int(executor.run(work, tmp_path / str(slot), meet))

        with ThreadPoolExecutor(4) as slots:
            assert len(set(slots.map(run, range(4)))) == 4

    def test_no_exit_code_is_lost(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        read = forkserver.read_signed

        def dawdle(descriptor: int) -> int:
            time.sleep(0.002)  # the moment in which another thread could read the same number
            return int(read(descriptor))

        monkeypatch.setattr(forkserver, "read_signed", dawdle)
        executor = ProcessExecutor((), tmp_path / "server.log", "forkserver")

        def run(code: int) -> str:
            with pytest.raises(TrialFailed) as caught:
                executor.run(lambda _: os._exit(code), tmp_path / str(code), IGNORE)
            return caught.value.reason

        codes = range(1, 41)
        with ThreadPoolExecutor(4) as slots:
            for code, reason in zip(codes, slots.map(run, codes), strict=True):
                assert reason == f"the process exited without a result (exit code {code})"


class TestKill:
    def test_it_ends_all_work_with_all_it_started(
        self, executor: ProcessExecutor, tmp_path: Path
    ) -> None:
        pids: list[int] = []
        both = threading.Barrier(3, timeout=PATIENCE)

        def met(report: EpochReport) -> None:
            pids.extend((report.step, int(report.value)))
            both.wait()

        def run(slot: int) -> TrialFailed:
            with pytest.raises(TrialFailed) as caught:
                executor.run(hang, tmp_path / str(slot), Ask(met))
            return caught.value

        with ThreadPoolExecutor(2) as slots:
            ended = slots.map(run, range(2))
            both.wait()
            executor.kill()
            for failed in ended:
                assert failed.reason == "killed by its controller"
                assert failed.cause is Cause.KILLED
        assert len(pids) == 4
        for pid in pids:
            await_end(pid)
        assert executor.run(lambda _: 1, tmp_path / "next", IGNORE) == 1

    def test_it_hits_a_run_that_has_no_process_yet(
        self, executor: ProcessExecutor, log: Path
    ) -> None:
        class Work:
            def __reduce__(self) -> tuple[Any, ...]:
                executor.kill()  # the run is just pickling its work
                return time.sleep, (600,)

        with pytest.raises(TrialFailed, match="killed by its controller"):
            executor.run(Work(), log, IGNORE)  # type: ignore[arg-type]

    def test_a_signal_handler_may_call_it_at_any_moment(
        self, executor: ProcessExecutor, log: Path
    ) -> None:
        """A signal interrupts the run ever later, until the work is done before."""
        before = signal.signal(signal.SIGUSR1, lambda *_: executor.kill())
        target = threading.get_ident(), signal.SIGUSR1
        outcomes: list[str] = []
        try:
            while len(outcomes) < 30 or len(set(outcomes)) == 1:
                strike = threading.Timer(len(outcomes) / 1000, signal.pthread_kill, target)
                strike.start()
                try:
                    outcomes.append(executor.run(lambda _: "done", log, IGNORE))
                except TrialFailed as failed:
                    outcomes.append(failed.reason)
                strike.join()
        finally:
            signal.signal(signal.SIGUSR1, before)
        assert set(outcomes) == {"done", "killed by its controller"}

    def test_a_signal_handler_may_call_it_while_its_thread_starts_a_worker(
        self, executor: ProcessExecutor, log: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read = forkserver.read_signed

        def interrupted(descriptor: int) -> int:
            signal.raise_signal(signal.SIGUSR1)
            return int(read(descriptor))

        monkeypatch.setattr(forkserver, "read_signed", interrupted)
        before = signal.signal(signal.SIGUSR1, lambda *_: executor.kill())
        try:
            with pytest.raises(TrialFailed, match="killed by its controller"):
                executor.run(hang, log, IGNORE)
        finally:
            signal.signal(signal.SIGUSR1, before)


class TestSignals:
    @pytest.mark.parametrize("method", ["forkserver", "spawn"])
    def test_a_worker_is_out_of_reach_of_ctrl_c_and_its_children_are_as_usual(
        self, method: Any, tmp_path: Path
    ) -> None:
        def work(_channel: Channel) -> bool:
            assert os.getsid(0) == os.getpgrp() == os.getpid()
            assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
            child = subprocess.Popen(["sleep", "600"])
            child.send_signal(signal.SIGINT)
            return child.wait(PATIENCE) == -signal.SIGINT

        executor = ProcessExecutor((), tmp_path / "server.log", method)
        # a controller that ignores Ctrl-C for the moment
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            assert executor.run(work, tmp_path / "log", IGNORE)
        finally:
            signal.signal(signal.SIGINT, before)
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()


def test_a_folder_for_sockets_with_too_long_a_path_is_named(tmp_path: Path) -> None:
    deep = tmp_path / ("t" * 120)
    deep.mkdir()
    program = (
        "from pathlib import Path\n"
        "from sweeper.execute.process import ProcessExecutor\n"
        "ProcessExecutor((), Path('server.log'))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(deep)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    *_, last = ended.stderr.splitlines()
    assert "MachineFault: no process could be started: OSError: AF_UNIX path too long" in last
    assert "set TMPDIR to a folder with a shorter path" in last


INTERRUPTED_CONTROLLER = """
import os, signal, sys, threading
from pathlib import Path
from sweeper.execute.executor import SilentChannel
from sweeper.execute.process import ProcessExecutor

signal.signal(signal.SIGINT, lambda *_: None)
done = threading.Event()

def press_ctrl_c():
    while not done.wait(0.005):
        os.killpg(0, signal.SIGINT)

threading.Thread(target=press_ctrl_c).start()
log = Path(sys.argv[1])
try:
    executor = ProcessExecutor((), log.with_name("server.log"), sys.argv[2])
    for _ in range(10):
        executor.run(lambda channel: None, log, SilentChannel())
finally:
    done.set()
"""


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_ctrl_c_does_not_hit_a_worker_that_is_just_starting(method: str, log: Path) -> None:
    command = [sys.executable, "-c", INTERRUPTED_CONTROLLER, str(log), method]
    ended = subprocess.run(
        command,
        start_new_session=True,
        timeout=PATIENCE,
        check=False,
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stderr) == (0, "")


CONTROLLER = """
import sys
from pathlib import Path
from sweeper.execute.executor import SilentChannel
from sweeper.execute.process import ProcessExecutor

def hang(channel):
    import os, subprocess, time
    child = subprocess.Popen(["sleep", "600"])
    print(os.getpid(), child.pid)
    {}

log = Path(sys.argv[1])
executor = ProcessExecutor((), log.with_name("server.log"), sys.argv[2])
executor.run(hang, log, SilentChannel())
"""


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
@pytest.mark.parametrize("blocked", ["time.sleep(600)", "while True: pass"])
def test_a_worker_dies_with_its_controller(method: str, blocked: str, log: Path) -> None:
    controller = subprocess.Popen(
        [sys.executable, "-c", CONTROLLER.format(blocked), str(log), method]
    )
    try:
        while not (log.exists() and log.read_text().endswith("\n")):
            assert controller.poll() is None
            time.sleep(0.01)
    finally:
        controller.kill()
        controller.wait()
    for pid in map(int, log.read_text().split()):
        await_end(pid)


def test_a_fork_server_that_died_is_started_anew_silently(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "chatty.py").write_text("print('hello from the server', flush=True)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    executor = ProcessExecutor(("chatty",), tmp_path / "server.log", "forkserver")
    server = executor.run(lambda _: os.getppid(), tmp_path / "log", IGNORE)
    os.kill(server, signal.SIGKILL)
    await_end(server)
    assert executor.run(lambda _: os.getppid(), tmp_path / "log", IGNORE) not in {server, 1}
    assert "hello from the server" in (tmp_path / "server.log").read_text()

    # a log that cannot be written is no fault of the work
    with pytest.raises(MachineFault, match=r"chatty.py/log cannot be written: .*FileExistsError"):
        executor.run(lambda _: 0, tmp_path / "chatty.py" / "log", IGNORE)
    assert capfd.readouterr() == ("", "")


def test_a_fork_server_that_dies_as_a_worker_starts_is_started_anew(
    executor: ProcessExecutor, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, starts = worker.Worker.start, 0

    def dying(self: worker.Worker) -> None:
        nonlocal starts
        starts += 1
        if starts <= failing:
            raise EOFError
        start(self)

    monkeypatch.setattr(worker.Worker, "start", dying)
    failing = 3
    assert executor.run(lambda _: 1, log, IGNORE) == 1
    failing = 99
    with pytest.raises(MachineFault, match="no process could be started: EOFError"):
        executor.run(lambda _: 1, log, IGNORE)


def test_a_process_that_cannot_be_had_is_the_machines_fault(
    executor: ProcessExecutor, log: Path
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(MachineFault, match=r"no process could be started: OSError.*ulimit -n"):
            executor.run(lambda _: 1, log, IGNORE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert executor.run(lambda _: 1, log, IGNORE) == 1


def test_a_log_on_a_full_disk_does_not_silence_the_work(executor: ProcessExecutor) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")

    def work(_channel: Channel) -> None:
        print("words that no disk has room for")

    with pytest.raises(MachineFault, match="No space left on device; free some space"):
        executor.run(work, full, IGNORE)
    assert executor.run(lambda _: 1, full, IGNORE) == 1


@pytest.mark.parametrize(("method", "runs"), [("forkserver", 50), ("spawn", 15)])
def test_many_runs_leave_nothing_behind(method: Any, runs: int, tmp_path: Path) -> None:
    executor = ProcessExecutor((), tmp_path / "server.log", method)
    executor.run(lambda _: 0, tmp_path / "log", IGNORE)
    before = set(Path("/proc/self/fd").iterdir())
    pids = [executor.run(lambda _: os.getpid(), tmp_path / "log", IGNORE) for _ in range(runs)]
    assert set(Path("/proc/self/fd").iterdir()) == before
    # a zombie would still have its number
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
