"""What the other processes of these tests do. They tell what they have come to line by line."""

import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from sweeper.cache.key import Key
from sweeper.cache.shared_cache import Cache

CONTENT = bytes(range(256)) * 16
SIZE = 2 * len(CONTENT)
KEY = Key("images", {"data": "digits", "size": 96})
_STEPS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.scandir", "fcntl.flock"}


def build(folder: Path) -> None:
    """Two files, one of them in a folder."""
    (folder / "first.bin").write_bytes(CONTENT)
    (folder / "deep").mkdir()
    (folder / "deep" / "second.bin").write_bytes(CONTENT)


def say(word: str) -> None:
    print(word, flush=True)


def pause() -> None:
    """Until the test says continue, if ever."""
    sys.stdin.readline()


class _Told(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say("waits" if "waiting" in record.getMessage() else record.getMessage())


def open_entry(root: Path, count: Path, stop: str) -> None:
    """Open the entry, and pause: at first, in the middle of a file, around the rename, or with it.

    ``stop`` says where: ready, writing, rename (after writing), held, or nowhere.
    """

    def counted(folder: Path) -> None:
        with count.open("ab") as file:
            file.write(b"x")
        if stop in ("writing", "rename"):
            with (folder / "first.bin").open("wb") as file:
                file.write(CONTENT[:100])
                file.flush()
                say("writes")
                pause()
        build(folder)

    rename = os.rename

    def announced(source: object, target: object) -> None:
        say("renames")
        pause()
        rename(source, target)  # type: ignore[arg-type]
        say("renamed")
        pause()

    if stop == "rename":
        os.rename = announced  # type: ignore[assignment]
    logging.getLogger("sweeper.cache").addHandler(_Told())
    logging.getLogger("sweeper.cache").setLevel(logging.INFO)
    say("ready")
    if stop == "ready":
        pause()
    with Cache(root, 10 * SIZE).open(KEY, SIZE, counted) as entry:
        assert entry is not None
        whole = (entry.folder / "deep" / "second.bin").read_bytes() == CONTENT
        say(f"got {'built' if entry.built_here else 'found'} {'whole' if whole else 'half'}")
        if stop == "held":
            pause()


def die_at(step: int, act: Callable[[], object], last: int) -> None:
    """Kill this process before the step of that number, in a process of its own.

    Exit code 0 says that there was no such step.
    """
    steps = 0

    def watch(event: str, _arguments: tuple[object, ...]) -> None:
        nonlocal steps
        if event in _STEPS:
            steps += 1
            if steps == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    act()
    assert steps < last


def open_once(root: Path, budget: int, parts: dict[str, int]) -> None:
    with Cache(root, budget).open(Key("images", dict(parts)), SIZE, build) as entry:
        assert entry is not None


def fill(root: Path, size: int, writer: str) -> None:
    """Build more than there is room for on the disk, as root of a disk of its own."""
    logging.getLogger("sweeper.cache").addHandler(_Told())

    def numpy(folder: Path) -> None:
        import numpy as np

        np.save(folder / "array.npy", np.zeros(size, np.uint8))

    def plain(folder: Path) -> None:
        (folder / "plain.bin").write_bytes(bytes(size))

    promised = 1 if writer in ("plain", "numpy") else size
    if writer == "twice":
        with Cache(root, 10 * size).open(Key("first", {}), size, plain) as entry:
            assert entry is not None
    with Cache(root, 10 * size).open(KEY, promised, numpy if writer == "numpy" else plain) as entry:
        say("nothing" if entry is None else "kept")
    say(str(sorted(path.name for path in root.glob("*") if path.name != ".lock")))


if __name__ == "__main__":
    program, folder, *rest = sys.argv[1:]
    if program == "open":
        open_entry(Path(folder), Path(rest[0]), rest[1])
    else:
        fill(Path(folder), int(rest[0]), rest[1])
