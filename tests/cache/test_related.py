"""Older entries that a new one may take from: of the same computation, whole, and in use."""

from pathlib import Path

import pytest
from others import CONTENT, SIZE, build
from processes import Other

from sweeper.cache.key import Key
from sweeper.cache.related import Related
from sweeper.cache.shared_cache import Cache

WANTED = Key("images", {"data": "new", "size": 96})


@pytest.fixture
def store(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "entries", 10 * SIZE)


def put(store: Cache, key: Key) -> Key:
    with store.open(key, SIZE, build) as entry:
        assert entry is not None
    return key


def of(data: str, kind: str = "images", **parts: object) -> Key:
    return Key(kind, {"data": data, "size": 96, **parts})  # type: ignore[dict-item]


def found(store: Cache) -> list[Related]:
    return list(store.related(WANTED, {"data"}))


def test_entries_that_differ_in_other_parts_or_in_kind_are_none_of_them(store: Cache) -> None:
    for key in (
        of("old"),
        of("other kind", kind="features"),
        of("other size", size=48),
        of("other type", size=96.0),
        of("one more", seed=0),
        Key("images", {"data": "one less"}),
        WANTED,
    ):
        put(store, key)
    assert [entry.name for entry in found(store)] == [of("old").name]


def test_the_one_used_last_comes_first(store: Cache) -> None:
    names = [put(store, of(data)).name for data in ("first", "second", "third")]
    put(store, of("first"))
    assert [entry.name for entry in found(store)] == [names[0], names[2], names[1]]


def test_an_entry_stays_while_it_is_read_and_no_longer(store: Cache) -> None:
    key = put(store, of("old"))
    entries = store.related(WANTED, {"data"})
    entry = next(entries)
    assert [left.name for left in store.clear().left] == [key.name]
    assert (entry.files / "first.bin").read_bytes() == CONTENT
    entries.close()
    assert [gone.name for gone in store.clear().removed] == [key.name]


def test_what_is_evicted_meanwhile_is_passed_over(store: Cache) -> None:
    put(store, of("first"))
    last = put(store, of("last"))
    entries = store.related(WANTED, {"data"})
    assert next(entries).name == last.name
    store.clear()
    assert list(entries) == []


def test_what_is_being_built_or_damaged_is_passed_over(store: Cache) -> None:
    for data, file in (("cut", "files/first.bin"), ("bare", "manifest.json"), ("free", "use")):
        folder = store.folder / put(store, of(data)).name
        if data == "cut":
            (folder / file).write_bytes(b"")
        else:
            (folder / file).unlink()
    (store.folder / put(store, of("no JSON")).name / "manifest.json").write_text("[[[")
    with Other(store.folder, "writing") as builder:
        builder.expect("writes")
        assert found(store) == []


def test_a_changed_file_shows(store: Cache) -> None:
    folder = store.folder / put(store, of("old")).name
    (entry,) = found(store)
    assert entry.is_intact("first.bin")
    assert not entry.is_intact("absent.bin")
    (folder / "files" / "first.bin").write_bytes(CONTENT[::-1])
    (entry,) = found(store)
    assert not entry.is_intact("first.bin")
    assert entry.is_intact("deep/second.bin")


def test_there_may_be_no_cache_yet(store: Cache) -> None:
    assert found(store) == []
