"""What does not hold when there is no process; the contract's tests say what does."""

import os
import threading
from pathlib import Path

import pytest

from sweeper.errors import TrialFailed
from sweeper.execute.executor import Channel, SilentChannel
from sweeper.execute.inline import InlineExecutor

IGNORE = SilentChannel()


def test_work_runs_in_this_very_thread(tmp_path: Path) -> None:
    here = os.getpid(), threading.get_ident()
    seen = InlineExecutor().run(lambda _: (os.getpid(), threading.get_ident()), tmp_path, IGNORE)
    assert seen == here


def test_nothing_is_redirected(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    InlineExecutor().run(lambda _: print("shown"), tmp_path / "log", IGNORE)
    assert capfd.readouterr().out == "shown\n"
    assert not (tmp_path / "log").exists()


def test_the_exception_itself_stays_at_hand(tmp_path: Path) -> None:
    def work(_channel: Channel) -> None:
        raise KeyError("nothing here")

    with pytest.raises(TrialFailed) as caught:
        InlineExecutor().run(work, tmp_path, IGNORE)
    assert isinstance(caught.value.__cause__, KeyError)
    assert caught.value.log_tail == ""


@pytest.mark.parametrize("leave", [KeyboardInterrupt, SystemExit])
def test_who_wants_to_leave_may(tmp_path: Path, leave: type[BaseException]) -> None:
    def work(_channel: Channel) -> None:
        raise leave

    with pytest.raises(leave):
        InlineExecutor().run(work, tmp_path, IGNORE)


def test_a_timeout_that_nothing_could_keep_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be stopped after 60 s"):
        InlineExecutor().run(lambda _: 1, tmp_path, IGNORE, timeout=60)
