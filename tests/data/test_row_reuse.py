"""Rows come from older entries where these have the same image, and are what they were there."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from disks import file_limit
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeper.cache.key import Key
from sweeper.cache.shared_cache import Cache
from sweeper.data import row_reuse
from sweeper.data.row_reuse import HASH_BYTES, INDEX, RowFile, copy_rows, write_index, write_rows

WIDTH = 5
ROWS = RowFile("rows.bin", WIDTH)
SETS = st.lists(st.integers(0, 12), min_size=1, max_size=12)


def hashes(images: Sequence[int]) -> np.ndarray:
    """Of images that are numbers. Some end in zeros, which NumPy does not show."""
    found = [hashlib.blake2b(bytes([image]), digest_size=HASH_BYTES).digest() for image in images]
    return np.array([one[:-2] + bytes(2) for one in found], f"S{HASH_BYTES}")


def rows(images: Sequence[int]) -> np.ndarray:
    return np.repeat(np.array(images, np.uint8)[:, np.newaxis], WIDTH, axis=1)


def key(data: str, **parts: int) -> Key:
    return Key("features", {"data": data, **parts})


def put(store: Cache, name: Key, images: Sequence[int], indexed: bool = True) -> Path:
    def build(folder: Path) -> None:
        (folder / ROWS.name).write_bytes(rows(images).tobytes())
        if indexed:
            write_index(folder, hashes(images))

    with store.open(name, 10_000, build) as entry:
        assert entry is not None
        return entry.folder


def taken(store: Cache, images: Sequence[int], output: Path) -> list[bool]:
    """Which rows are known, after a look whether these are right, and no others written."""
    with output.open("wb") as file:
        known = copy_rows(store, key("new"), hashes(images), ROWS, file)
    content = np.frombuffer(output.read_bytes().ljust(len(images) * WIDTH, b"\0"), np.uint8)
    expected = np.where(known[:, np.newaxis], rows(images), 0)
    np.testing.assert_array_equal(content.reshape(-1, WIDTH), expected)
    return known.tolist()


@settings(max_examples=60, deadline=None)
@given(older=st.lists(SETS, max_size=4), images=SETS, chunk=st.integers(1, 30))
def test_all_that_some_entry_has_is_taken(
    older: list[list[int]], images: list[int], chunk: int
) -> None:
    with TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patched:
        patched.setattr(row_reuse, "_CHUNK", chunk)
        store = Cache(Path(place, "entries"), 10**6)
        for number, one in enumerate(older):
            put(store, key(str(number)), one)
        known = taken(store, images, Path(place, "out"))
        assert known == [any(image in one for one in older) for image in images]


@settings(max_examples=60, deadline=None)
@given(data=st.data(), count=st.integers(1, 20))
def test_rows_are_put_into_their_places(data: st.DataObject, count: int) -> None:
    order = data.draw(st.permutations(range(count)))
    cuts = sorted(data.draw(st.sets(st.integers(0, count))))
    with TemporaryDirectory() as place:
        file = Path(place, "out")
        with file.open("wb") as output:
            for part in np.split(np.array(order), cuts):
                chosen = np.sort(part)
                write_rows(output, chosen, rows(chosen.tolist()))
        assert file.read_bytes() == rows(range(count)).tobytes()


@pytest.fixture
def store(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "entries", 10**6)


def test_who_gives_rows_is_told_and_is_in_use(store: Cache, tmp_path: Path) -> None:
    folder = put(store, key("old"), [1, 2, 3])
    calls = []

    def reused(files: Path, count: int, of: int) -> None:
        calls.append((files, count, of, store.entries()[0].in_use))

    with (tmp_path / "out").open("wb") as output:
        copy_rows(store, key("new"), hashes([3, 4, 3]), ROWS, output, reused)
    assert calls == [(folder, 2, 3, True)]
    assert [entry.in_use for entry in store.entries()] == [False]


@pytest.mark.parametrize("file", [ROWS.name, INDEX])
def test_a_damaged_entry_gives_nothing_and_is_named(
    file: str, store: Cache, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = put(store, key("old"), [1, 2, 3]) / file
    path.write_bytes(path.read_bytes()[::-1])
    assert not any(taken(store, [1, 2, 3], tmp_path / "out"))
    if file == ROWS.name:  # of an index that is wrong nothing may be asked for
        assert f"{key('old').name} is not reused" in caplog.text


@pytest.mark.parametrize("kind", ["without an index", "with an empty one", "of larger rows"])
def test_an_entry_that_cannot_say_what_it_has_gives_nothing(
    kind: str, store: Cache, tmp_path: Path
) -> None:
    folder = put(store, key("old"), [1, 2, 3], indexed=kind == "of larger rows")
    manifest = folder.parent / "manifest.json"
    if kind == "with an empty one":
        store.clear()
        with store.open(key("old"), 100, lambda folder: write_index(folder, None)):
            pass
    elif kind == "of larger rows":
        other = RowFile(ROWS.name, 3)
        with (tmp_path / "out").open("wb") as output:
            assert not copy_rows(store, key("new"), hashes([1]), other, output).any()
        return
    assert manifest.exists()
    assert not any(taken(store, [1, 2, 3], tmp_path / "out"))


@pytest.mark.parametrize("left", [0, 7])
def test_an_entry_that_is_cut_short_while_it_is_read_gives_what_was_read(
    left: int,
    store: Cache,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    file = put(store, key("old"), [1, 2, 3]) / ROWS.name
    monkeypatch.setattr(row_reuse, "_CHUNK", 1)
    sound = row_reuse._is_intact

    def then_cut(*entry: object) -> bool:
        found = sound(*entry)  # type: ignore[arg-type]
        if entry[1] == ROWS.name:
            file.write_bytes(file.read_bytes()[:left])
        return found

    monkeypatch.setattr(row_reuse, "_is_intact", then_cut)
    assert taken(store, [1, 2, 3], tmp_path / "out") == [left >= WIDTH, False, False]
    assert "was cut short" in caplog.text


def test_a_disk_that_takes_no_more_is_reported(store: Cache, tmp_path: Path) -> None:
    put(store, key("old"), range(100))
    with (
        file_limit(100),
        pytest.raises(OSError, match="File too large"),
        (tmp_path / "out").open("wb") as output,
    ):
        copy_rows(store, key("new"), hashes(range(100)), ROWS, output)
