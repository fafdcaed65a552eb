"""One process builds, all others use what it built; whatever is damaged is built again."""

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from others import CONTENT, KEY, SIZE, build
from processes import Other

from sweeper.cache import folders
from sweeper.cache.entry_locks import LockFile
from sweeper.cache.key import Key
from sweeper.cache.shared_cache import Cache


def never(_folder: Path) -> None:
    raise AssertionError("built twice")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "entries"


@pytest.fixture
def store(root: Path) -> Cache:
    return Cache(root, 10 * SIZE)


@pytest.fixture
def entry(store: Cache) -> Path:
    """Folder of a whole entry, the files and what stands beside them."""
    with store.open(KEY, SIZE, build) as made:
        assert made is not None
        return made.folder.parent


def test_an_entry_is_built_once_and_says_so(store: Cache) -> None:
    with store.open(KEY, SIZE, build) as built:
        assert built is not None
    with store.open(KEY, SIZE, never) as found:
        assert found is not None
    assert (built.built_here, found.built_here) == (True, False)
    assert found.build_seconds == built.build_seconds > 0
    assert found.size_bytes == SIZE
    assert (found.folder / "first.bin").read_bytes() == CONTENT
    assert (found.folder / "deep" / "second.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("processes", [2, pytest.param(10, marks=pytest.mark.more)])
def test_processes_that_race_build_once(root: Path, processes: int) -> None:
    with ExitStack() as ending:
        others = [ending.enter_context(Other(root, "ready")) for _ in range(processes)]
        for other in others:
            other.go_on()
        printed = [other.rest() for other in others]
    assert others[0].count.read_bytes() == b"x"
    got = sorted(lines[-1] for lines in printed)
    assert got == ["got built whole", *["got found whole"] * (processes - 1)]
    assert [path.name for path in root.iterdir() if path.name.startswith(".")] == [".lock"]


def test_threads_that_race_build_once(store: Cache) -> None:
    built: list[Path] = []

    def counted(folder: Path) -> None:
        built.append(folder)
        build(folder)

    def one(_number: int) -> bool:
        with store.open(KEY, SIZE, counted) as entry:
            assert entry is not None
            return (entry.folder / "first.bin").read_bytes() == CONTENT

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(one, range(32)))
    assert len(built) == 1


def test_who_waits_is_shown_why_and_then_uses_the_entry(root: Path) -> None:
    with Other(root, "writing") as builder, Other(root) as waiter:
        builder.expect("writes")
        waiter.expect("waits")
        builder.go_on()
        builder.expect("got built whole")
        waiter.expect("got found whole")


def test_an_error_of_the_builder_is_raised_and_leaves_nothing(root: Path, store: Cache) -> None:
    def broken(folder: Path) -> None:
        build(folder)
        raise ValueError("a broken image")

    with pytest.raises(ValueError, match="a broken image"), store.open(KEY, SIZE, broken):
        pass
    assert [path.name for path in root.iterdir()] == [".lock"]
    with store.open(KEY, SIZE, build) as entry:
        assert entry is not None


def test_an_error_within_the_context_is_the_callers(store: Cache) -> None:
    with pytest.raises(OSError, match="mine"), store.open(KEY, SIZE, build):
        raise OSError(28, "mine")
    [listed] = store.entries()
    assert not listed.in_use


def test_an_entry_may_be_made_from_another(store: Cache) -> None:
    def from_images(folder: Path) -> None:
        with store.open(KEY, SIZE, build) as images:
            assert images is not None
            shutil.copytree(images.folder, folder / "copy")

    with store.open(Key("features", {}), SIZE, from_images) as entry:
        assert entry is not None
        assert (entry.folder / "copy" / "first.bin").read_bytes() == CONTENT


def _truncate(entry: Path) -> None:
    with (entry / "files" / "first.bin").open("r+b") as file:
        file.truncate(len(CONTENT) - 1)


def _rename_key(entry: Path) -> None:
    found = json.loads((entry / "manifest.json").read_text())
    (entry / "manifest.json").write_text(json.dumps(found | {"parts": {"data": "other"}}))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "truncated": _truncate,
    "longer": lambda entry: (entry / "files" / "first.bin").write_bytes(CONTENT + b"x"),
    "file missing": lambda entry: (entry / "files" / "first.bin").unlink(),
    "file added": lambda entry: (entry / "files" / "third.bin").touch(),
    "files missing": lambda entry: shutil.rmtree(entry / "files"),
    "manifest missing": lambda entry: (entry / "manifest.json").unlink(),
    "manifest empty": lambda entry: (entry / "manifest.json").write_text(""),
    "manifest cut": lambda entry: (entry / "manifest.json").write_text('{"version": 1, "kin'),
    "manifest no text": lambda entry: (entry / "manifest.json").write_bytes(b"\xff\xfe"),
    "manifest of something": lambda entry: (entry / "manifest.json").write_text("[1]"),
    "manifest deep": lambda entry: (entry / "manifest.json").write_text("[" * 100_000),
    "manifest a folder": lambda entry: (
        (entry / "manifest.json").unlink(),
        (entry / "manifest.json").mkdir(),
    ),
    "of another key": _rename_key,
    "lock missing": lambda entry: (entry / "use").unlink(),
    "everything missing": lambda entry: (shutil.rmtree(entry), entry.mkdir()),
    "a file instead": lambda entry: (shutil.rmtree(entry), entry.write_text("")),
}


@pytest.fixture(params=sorted(DAMAGES))
def damaged(request: pytest.FixtureRequest, entry: Path) -> Path:
    DAMAGES[request.param](entry)
    return entry


def test_a_damaged_entry_is_noticed_and_built_again(store: Cache, damaged: Path) -> None:
    assert [fault.name for fault in store.verify()] == [KEY.name]
    assert [listed.state for listed in store.entries()] == ["damaged"]
    with store.open(KEY, SIZE, build) as again:
        assert again is not None
        assert again.built_here
    assert store.verify() == []
    assert (damaged / "files" / "first.bin").read_bytes() == CONTENT


def test_a_damaged_entry_in_use_stays_until_it_is_free(
    root: Path, store: Cache, entry: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Other(root, "held") as user:
        user.expect("got found whole")
        _truncate(entry)
        with store.open(KEY, SIZE, never) as nothing:
            assert nothing is None
        assert "damaged, and in use" in caplog.text
        assert (entry / "files" / "first.bin").exists()
    with store.open(KEY, SIZE, build) as again:
        assert again is not None


def test_an_entry_that_goes_before_it_is_locked_is_not_used(
    entry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = LockFile.share

    def too_late(lock: LockFile) -> None:
        folders.discard(entry)
        share(lock)

    monkeypatch.setattr(LockFile, "share", too_late)
    assert folders.hold(entry) is None


def test_content_that_changed_is_found_by_its_checksum(store: Cache, entry: Path) -> None:
    assert store.verify() == []
    with (entry / "files" / "deep" / "second.bin").open("r+b") as file:
        file.write(b"\xff")
    [fault] = store.verify()
    assert fault.name == KEY.name
    assert "deep/second.bin" in fault.what
