"""Real processes: they return, raise, report, die."""

import os
import signal
import sys
from pathlib import Path

import pytest

from sweeper.errors import ConfigError, TrialFailed, TrialPruned
from sweeper.execute.base import Channel
from sweeper.execute.output import output_to, tail
from sweeper.execute.process import ProcessExecutor
from sweeper.records import Decision, EpochReport


@pytest.fixture(scope="module")
def executor(tmp_path_factory: pytest.TempPathFactory) -> ProcessExecutor:
    return ProcessExecutor(("json",), tmp_path_factory.mktemp("server") / "server.log")


def go_on(_report: EpochReport) -> Decision:
    return Decision()


def test_work_runs_in_a_process_of_its_own(executor: ProcessExecutor, tmp_path: Path) -> None:
    first, second = (executor.run(lambda _: os.getpid(), tmp_path / "log", go_on) for _ in "ab")
    assert len({first, second, os.getpid()}) == 3


def test_closures_travel_and_output_goes_to_the_log(
    executor: ProcessExecutor, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    factor = 3

    def work(_channel: Channel) -> int:
        print("from python")  # buffered, were it not told otherwise
        os.write(2, b"from below python\n")
        return 14 * factor

    assert executor.run(work, tmp_path / "deep" / "log", go_on) == 42
    assert (tmp_path / "deep" / "log").read_text() == "from python\nfrom below python\n"
    assert capfd.readouterr() == ("", "")


def test_every_report_gets_its_decision(executor: ProcessExecutor, tmp_path: Path) -> None:
    def work(channel: Channel) -> list[str]:
        decisions = [channel.report(EpochReport(step, step / 10)) for step in range(3)]
        return [decision.reason for decision in decisions]

    heard: list[float] = []

    def judge(report: EpochReport) -> Decision:
        heard.append(report.value)
        return Decision(report.step == 2, f"step {report.step}")

    assert executor.run(work, tmp_path / "log", judge) == ["step 0", "step 1", "step 2"]
    assert heard == [0.0, 0.1, 0.2]


def test_an_exception_is_a_failure_with_its_reason_and_the_logs_tail(
    executor: ProcessExecutor, tmp_path: Path
) -> None:
    def work(_channel: Channel) -> None:
        print("last words")
        raise KeyError("nothing here")

    with pytest.raises(TrialFailed) as caught:
        executor.run(work, tmp_path / "log", go_on)
    assert caught.value.reason == "KeyError: 'nothing here'"
    assert "last words" in caught.value.log_tail
    assert "Traceback" in caught.value.log_tail


@pytest.mark.parametrize("error", [TrialPruned("hopeless"), ConfigError(["a", "b"])])
def test_errors_of_this_package_come_back_as_they_were(
    executor: ProcessExecutor, tmp_path: Path, error: Exception
) -> None:
    def work(_channel: Channel) -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        executor.run(work, tmp_path / "log", go_on)
    assert vars(caught.value) == vars(error)
    assert str(caught.value) == str(error)


def test_a_killed_process_is_a_failure_with_a_name(
    executor: ProcessExecutor, tmp_path: Path
) -> None:
    def work(channel: Channel) -> None:
        print("alive", flush=True)
        channel.report(EpochReport(0, 0.5))
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(TrialFailed) as caught:
        executor.run(work, tmp_path / "log", go_on)
    assert caught.value.reason == "killed by SIGKILL"
    assert caught.value.log_tail == "alive"


def test_an_exit_without_a_word_is_a_failure_with_a_name(
    executor: ProcessExecutor, tmp_path: Path
) -> None:
    with pytest.raises(TrialFailed, match=r"without a word \(exit code 3\)"):
        executor.run(lambda _: os._exit(3), tmp_path / "log", go_on)


def test_a_result_that_cannot_travel_is_a_failure(
    executor: ProcessExecutor, tmp_path: Path
) -> None:
    with pytest.raises(TrialFailed):
        executor.run(lambda _: sys.stdout, tmp_path / "log", go_on)


def test_what_the_controller_raises_ends_the_worker(
    executor: ProcessExecutor, tmp_path: Path
) -> None:
    pids: list[float] = []

    def work(channel: Channel) -> None:
        while True:
            channel.report(EpochReport(0, float(os.getpid())))

    def interrupt(report: EpochReport) -> Decision:
        pids.append(report.value)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        executor.run(work, tmp_path / "log", interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pids[0]), 0)


def test_output_to_gives_the_screen_back(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with output_to(tmp_path / "log") as screen:
        os.write(1, b"hidden\n")
        screen.write("shown\n")
    os.write(1, b"after\n")
    assert capfd.readouterr().out == "shown\nafter\n"
    assert (tmp_path / "log").read_text() == "hidden\n"


def test_tail_is_the_end(tmp_path: Path) -> None:
    assert tail(tmp_path / "none") == ""
    (tmp_path / "log").write_text("\n".join(map(str, range(50))))
    assert tail(tmp_path / "log", 3) == "47\n48\n49"
