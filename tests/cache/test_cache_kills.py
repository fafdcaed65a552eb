"""Processes die by SIGKILL at every moment; nothing half is read, nobody waits for the dead."""

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from others import CONTENT, KEY, SIZE, build, die_at, open_once
from processes import Other

from sweeper.cache.entry_locks import LockFile
from sweeper.cache.key import Key
from sweeper.cache.shared_cache import Cache

STEPS = 200
Act = Callable[[], object]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "entries"


def _hidden(root: Path) -> list[str]:
    return [path.name for path in root.iterdir() if path.name.startswith(".")]


def _die(server: multiprocessing.context.ForkServerContext, step: int, act: Act) -> bool:
    """Whether a process that does ``act`` came to that step, and so was killed."""
    process = server.Process(target=die_at, args=(step, act, STEPS))
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


@pytest.fixture(scope="module")
def server() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["sweeper.cache.shared_cache", "others"])
    return context


def _is_sound(root: Path) -> None:
    """Whatever is there is whole, and the entry can be had, at once and whole."""
    store = Cache(root, 10 * SIZE)
    assert store.verify() == []
    with store.open(KEY, SIZE, build) as entry:
        assert entry is not None
        assert (entry.folder / "first.bin").read_bytes() == CONTENT
        assert (entry.folder / "deep" / "second.bin").read_bytes() == CONTENT
    with store.open(Key("after", {}), SIZE, build) as other:
        assert other is not None
    assert _hidden(root) == [".lock"]


def test_a_builder_killed_at_any_step_leaves_nothing_that_is_read(
    tmp_path: Path, server: multiprocessing.context.ForkServerContext
) -> None:
    for step in count(1):
        root = tmp_path / str(step) / "entries"
        act = partial(open_once, root, 10 * SIZE, dict(KEY.parts))
        killed = _die(server, step, act)
        _is_sound(root)
        if not killed:
            break
    assert step > 20


@pytest.mark.more
def test_who_makes_room_and_is_killed_at_any_step_leaves_no_half_entry(
    tmp_path: Path, server: multiprocessing.context.ForkServerContext
) -> None:
    for step in count(1):
        root = tmp_path / str(step) / "entries"
        open_once(root, 10 * SIZE, dict(KEY.parts))
        killed = _die(server, step, partial(open_once, root, SIZE, {"other": 1}))
        _is_sound(root)
        if not killed:
            break
    assert step > 20


@pytest.mark.parametrize("stop", ["writing", "rename"])
def test_those_who_wait_for_a_killed_builder_continue(root: Path, stop: str) -> None:
    with Other(root, stop) as builder, Other(root) as one, Other(root) as other:
        builder.expect("writes")
        one.expect("waits")
        other.expect("waits")
        if stop == "rename":
            builder.go_on()
            builder.expect("renames")
        builder.kill()
        got = sorted(lines[-1] for lines in (one.rest(), other.rest()))
    assert got == ["got built whole", "got found whole"]
    assert builder.count.read_bytes() == b"xx"
    assert _hidden(root) == [".lock"]


@contextmanager
def whoever_waits_for(file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LockFile]:
    """Somebody who gets the lock of ``file`` as soon as anybody here lets go of a lock."""
    close = LockFile.close
    with LockFile(file) as late, monkeypatch.context() as patched:

        def closed(lock: LockFile) -> None:
            close(lock)
            if lock is not late:
                late.try_share()

        patched.setattr(LockFile, "close", closed)
        yield late


def test_who_wakes_late_keeps_nobody_from_building(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = root / f".{KEY.name}"
    left.mkdir(parents=True)
    (left / "use").touch()
    with whoever_waits_for(left / "use", monkeypatch) as late:
        with Cache(root, 10 * SIZE).open(KEY, SIZE, build) as entry:
            assert entry is not None
            assert entry.built_here
        assert not late.is_at(root / KEY.name / "use")
    assert _hidden(root) == [".lock"]


def test_what_is_taken_into_use_while_it_is_cleared_stays_and_is_reported(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Cache(root, 10 * SIZE)
    with store.open(KEY, SIZE, build):
        pass
    file = root / KEY.name / "use"
    with whoever_waits_for(file, monkeypatch) as late:
        cleared = store.clear()
        assert late.is_at(file)
    assert cleared.removed == ()
    assert [entry.name for entry in cleared.left] == [KEY.name]


def test_what_a_builder_renamed_before_it_was_killed_is_used(root: Path) -> None:
    with Other(root, "rename") as builder, Other(root) as waiter:
        builder.expect("writes")
        waiter.expect("waits")
        builder.go_on()
        builder.expect("renames")
        builder.go_on()
        builder.expect("renamed")
        builder.kill()
        waiter.expect("got found whole")
    assert builder.count.read_bytes() == b"x"


def test_a_killed_user_holds_nothing(root: Path) -> None:
    tight = Cache(root, SIZE)
    with Other(root, "held") as user:
        user.expect("got built whole")
        with tight.open(Key("other", {}), SIZE, build) as nothing:
            assert nothing is None
        assert [entry.in_use for entry in tight.entries()] == [True]
        user.kill()
        with tight.open(Key("other", {}), SIZE, build) as entry:
            assert entry is not None
    assert [entry.kind for entry in tight.entries()] == ["other"]
