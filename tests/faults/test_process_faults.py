"""Processes that are killed, or stopped for a minute."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from faults.sweeps import TWENTY, counted, engine, fork_server, trial_processes
from search.controllers import check_finished, load

GROUP = "Processes"
Seen = Callable[[str], None]
MINUTE = 60


@pytest.mark.faults(
    fault="`kill -9` of a trial's process",
    promised="the trial fails with its reason and is tried again (`retries.killed`); others "
    "continue undisturbed",
)
def test_a_killed_trial(tmp_path: Path, seen: Seen) -> None:
    with engine(tmp_path, *TWENTY) as sweep:
        sweep.await_line("step 2")
        victim = trial_processes(sweep)[0]
        victim.kill()
        assert sweep.end() == 0, sweep.printed
    trials = load(tmp_path).trials
    assert sum(trial.state.name == "COMPLETE" for trial in trials) == 20
    (killed,) = [trial for trial in trials if trial.state.name == "FAIL"]
    assert killed.user_attrs["reason"] == "killed by SIGKILL; tried again"
    seen(f"{counted(trials, 20)}; reason `{killed.user_attrs['reason']}`; exit code 0")


@pytest.mark.faults(
    fault="`kill -9` of the controller",
    promised="its trials end with it; the same command tries them again first and runs what is "
    "missing",
)
def test_a_killed_controller(tmp_path: Path, seen: Seen) -> None:
    with engine(tmp_path, *TWENTY) as sweep:
        sweep.await_line("step 2", times=3)
        sweep.kill()
    with engine(tmp_path, *TWENTY) as sweep:
        assert sweep.end() == 0, sweep.printed
    trials = load(tmp_path).trials
    check_finished(tmp_path, trials, 20)
    said = sweep.await_line("were interrupted; their parameters go first")
    seen(f"{counted(trials, 20)}; the second command says `{said.strip()}`")


@pytest.mark.faults(
    fault="`kill -9` of the fork server",
    promised="trials that run end or are tried again; the next one starts a new fork server",
)
def test_a_killed_fork_server(tmp_path: Path, seen: Seen) -> None:
    with engine(tmp_path, *TWENTY) as sweep:
        sweep.await_line("step 2")
        first = fork_server(sweep)
        first.kill()
        sweep.await_line("started", times=6)
        second = fork_server(sweep)
        assert sweep.end() == 0, sweep.printed
    assert second.pid != first.pid
    trials = load(tmp_path).trials
    assert sum(trial.state.name == "COMPLETE" for trial in trials) == 20
    seen(f"{counted(trials, 20)}; exit code 0")


@pytest.mark.faults(
    fault="SIGSTOP of a trial's process for a minute",
    promised="the other slot continues; so does the trial in the end, and it counts once",
)
def test_a_stopped_trial(tmp_path: Path, seen: Seen) -> None:
    with engine(tmp_path, *TWENTY, "pause=1") as sweep:
        sweep.await_line("step 1")
        victim = trial_processes(sweep)[0]
        victim.suspend()
        before = sweep.printed.count(" complete after ")
        time.sleep(MINUTE)  # this long it shall take
        meanwhile = sweep.printed.count(" complete after ") - before
        victim.resume()
        assert sweep.end() == 0, sweep.printed
    trials = load(tmp_path).trials
    check_finished(tmp_path, trials, 20)
    assert meanwhile > 0
    seen(f"{counted(trials, 20)}; {meanwhile} trials finished in the other slot meanwhile")


@pytest.mark.faults(
    fault="SIGSTOP of the controller for a minute, study on SQLite",
    promised="all waits and continues; nothing is tried again",
)
def test_a_stopped_controller(tmp_path: Path, seen: Seen) -> None:
    with engine(tmp_path, *TWENTY) as sweep:
        sweep.await_line("step 2", times=3)
        sweep.signal(signal.SIGSTOP)
        time.sleep(MINUTE)  # this long it shall take
        sweep.signal(signal.SIGCONT)
        assert sweep.end() == 0, sweep.printed
    trials = load(tmp_path).trials
    check_finished(tmp_path, trials, 20)
    assert len(trials) == 20
    seen(f"{counted(trials, 20)}; {sweep.silence:.0f} s without progress; exit code 0")
