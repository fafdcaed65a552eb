"""Signals sent to this process itself."""

import os
import signal
import threading
from collections.abc import Callable, Iterator

import pytest
from patience import PATIENCE

from sweeper.search.running.interrupts import handle_interrupts


@pytest.fixture(autouse=True)
def as_in_a_terminal() -> Iterator[None]:
    """Scripts ignore Ctrl-C in the background, and ``nohup`` a closed terminal."""
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    hang_up = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGHUP, hang_up)


class Actions:
    """Two actions and what is printed, each an event to wait for."""

    def __init__(self) -> None:
        self.first = threading.Event()
        self.second = threading.Event()
        self.threads: list[threading.Thread] = []
        self.notes: list[str] = []
        self._noted = threading.Semaphore(0)

    def on_first(self) -> None:
        self.threads.append(threading.current_thread())
        self.first.set()

    def on_second(self) -> None:
        self.second.set()

    def note(self, text: str) -> None:
        self.notes.append(text)
        self._noted.release()

    def wait_for_note(self) -> str:
        assert self._noted.acquire(timeout=PATIENCE)
        return self.notes[-1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_once_and_twice(number: int) -> None:
    received = Actions()
    with handle_interrupts(received.on_first, received.on_second, received.note):
        os.kill(os.getpid(), number)
        assert received.first.wait(PATIENCE)
        assert "once more to stop them now" in received.wait_for_note()
        assert not received.second.is_set()
        os.kill(os.getpid(), number)
        assert received.second.wait(PATIENCE)
        assert "ending the trials that run" in received.wait_for_note()


def test_a_scheduler_may_come_before_a_person() -> None:
    received = Actions()
    with handle_interrupts(received.on_first, received.on_second, received.note):
        os.kill(os.getpid(), signal.SIGTERM)
        assert received.first.wait(PATIENCE)
        os.kill(os.getpid(), signal.SIGINT)
        assert received.second.wait(PATIENCE)
        received.wait_for_note()
        received.wait_for_note()


def interrupt_and_wait() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    threading.Event().wait(PATIENCE)


def test_a_third_interrupt_is_for_python() -> None:
    received = Actions()
    with handle_interrupts(received.on_first, received.on_second, received.note):
        for acted in (received.first, received.second):
            os.kill(os.getpid(), signal.SIGINT)
            assert acted.wait(PATIENCE)
        with pytest.raises(KeyboardInterrupt):
            interrupt_and_wait()


def test_an_action_may_take_the_locks_of_the_code_it_cuts_into() -> None:
    lock = threading.Lock()
    done = threading.Event()

    def act() -> None:
        with lock:
            done.set()

    with handle_interrupts(act, act, lambda _text: None):
        with lock:
            os.kill(os.getpid(), signal.SIGINT)
        assert done.wait(PATIENCE)


def test_signals_act_while_the_main_thread_does_not_handle_them() -> None:
    """A signal that comes right before it waits for a lock does not end that wait."""
    received = Actions()
    with handle_interrupts(received.on_first, received.on_second, received.note):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            for acted in (received.first, received.second):
                os.kill(os.getpid(), signal.SIGINT)
                assert acted.wait(PATIENCE)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def test_no_thread_and_no_wakeup_file_remain() -> None:
    received = Actions()
    before = threading.active_count()
    with handle_interrupts(received.on_first, received.on_second, received.note):
        assert threading.active_count() > before
    assert threading.active_count() == before
    assert signal.set_wakeup_fd(-1) == -1


@pytest.mark.parametrize("fault", [None, ValueError])
def test_afterwards_signals_mean_what_they_did(fault: type[Exception] | None) -> None:
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]

    def nothing() -> None:
        pass

    try:
        with handle_interrupts(nothing, nothing, lambda _text: None):
            assert [signal.getsignal(number) for number in numbers] != before
            if fault is not None:
                raise fault
    except ValueError:
        pass
    assert [signal.getsignal(number) for number in numbers] == before


def test_another_thread_leaves_signals_alone() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen: list[object] = []

    def run(nothing: Callable[[], None]) -> None:
        with handle_interrupts(nothing, nothing, lambda _text: None):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run, args=(lambda: None,))
    thread.start()
    thread.join(PATIENCE)
    assert seen == [before]


def test_what_was_ignored_from_the_start_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    received = Actions()
    with handle_interrupts(received.on_first, received.on_second, received.note):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        assert received.first.wait(PATIENCE)
        received.wait_for_note()
    assert not received.second.is_set()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
