"""Entries are written in their order, together where they come fast, and never forgotten."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from patience import PATIENCE

from sweeper.track.buffer import Buffer

LONG = 1000.0


def test_the_first_is_written_at_once_and_what_follows_together() -> None:
    written: list[list[int]] = []
    buffer = Buffer(written.append, LONG)
    buffer.add([1, 2])
    assert written == [[1, 2]]
    buffer.add([3])
    buffer.add([])
    buffer.add([4, 5])
    assert written == [[1, 2]]
    buffer.flush()
    buffer.flush()
    assert written == [[1, 2], [3, 4, 5]]
    buffer.add([6])
    assert written[2:] == []


def test_nothing_is_no_write_and_no_reason_to_wait() -> None:
    written: list[list[int]] = []
    buffer = Buffer(written.append, LONG)
    buffer.add([])
    assert written == []
    buffer.add([1])
    assert written == [[1]]


def test_after_a_pause_an_entry_is_written_by_who_brings_it() -> None:
    threads: list[str] = []
    buffer: Buffer[int] = Buffer(lambda _: threads.append(threading.current_thread().name), 0.0)
    for entry in range(3):
        buffer.add([entry])
    assert threads == [threading.current_thread().name] * 3


def test_what_waits_is_written_by_itself() -> None:
    written: list[int] = []
    second = threading.Event()

    def write(entries: list[int]) -> None:
        written.extend(entries)
        if 2 in entries:
            second.set()

    buffer = Buffer(write, 0.1)
    buffer.add([1])
    buffer.add([2])
    assert second.wait(PATIENCE)
    assert written == [1, 2]


def test_a_failure_in_the_background_reaches_who_comes_next_and_once() -> None:
    failed = threading.Event()

    class Fails:
        def __init__(self) -> None:
            self.written: list[list[int]] = []

        def __call__(self, entries: list[int]) -> None:
            if 2 in entries:
                failed.set()
                raise OSError("no disk")
            self.written.append(entries)

    write = Fails()
    buffer = Buffer(write, 0.1)
    buffer.add([1])
    buffer.add([2])
    assert failed.wait(PATIENCE)
    with pytest.raises(OSError, match="no disk"):
        buffer.flush()
    buffer.add([3])
    buffer.flush()
    assert write.written == [[1], [3]]


@given(st.lists(st.none() | st.lists(st.integers(), max_size=3)))
def test_all_that_was_added_is_written_once_in_its_order(steps: list[list[int] | None]) -> None:
    written: list[int] = []
    buffer = Buffer(written.extend, LONG)
    added: list[int] = []
    for step in steps:
        if step is None:
            buffer.flush()
            assert written == added
        else:
            added += step
            buffer.add(step)
    buffer.flush()
    assert written == added


def test_many_threads_lose_nothing() -> None:
    written: list[tuple[int, int]] = []
    buffer = Buffer(written.extend, 0.001)

    def bring(number: int) -> None:
        for count in range(200):
            buffer.add([(number, count)])

    threads = [threading.Thread(target=bring, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    buffer.flush()
    assert sorted(written) == [(number, count) for number in range(4) for count in range(200)]
    for number in range(4):
        assert [count for who, count in written if who == number] == list(range(200))
