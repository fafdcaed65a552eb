"""The budget is kept, the entries unused for longest go first, and nothing goes that is in use."""

import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from others import SIZE, build
from processes import Other

from sweeper.cache.key import Key
from sweeper.cache.manifest import size_on_disk
from sweeper.cache.shared_cache import Cache

BUDGET = 100
OPENS = st.tuples(st.just("open"), st.integers(0, 5), st.sampled_from([False, False, True]))
CLOSES = st.tuples(st.just("close"), st.integers(0, 5), st.just(False))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "entries"


def _key(number: int) -> Key:
    return Key("images", {"number": number})


def _put(store: Cache, number: int) -> bool:
    """Whether the entry is kept."""
    with store.open(_key(number), SIZE, build) as entry:
        return entry is not None


def _kept(store: Cache) -> list[object]:
    """Numbers of the entries, the one used last first."""
    return [entry.parts["number"] for entry in store.entries()]


class Model:
    """What the cache should hold: sizes by number, the one used last at the end."""

    def __init__(self) -> None:
        self.sizes: dict[int, int] = {}
        self.used: dict[int, int] = {}

    def open(self, number: int, size: int) -> bool:
        if number not in self.sizes:
            missing = sum(self.sizes.values()) + size - BUDGET
            going = []
            for other in self.sizes:
                if missing > 0 and not self.used.get(other):
                    going.append(other)
                    missing -= self.sizes[other]
            if missing > 0:
                return False
            for other in going:
                del self.sizes[other]
        self.sizes[number] = self.sizes.pop(number, size)
        return True


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(20, 45) | st.sampled_from([0, 120]), min_size=6, max_size=6),
    st.lists(OPENS | OPENS | CLOSES, min_size=8, max_size=30),
    st.lists(st.integers(-5, 5), min_size=1, max_size=6),
)
def test_any_order_of_uses(
    sizes: list[int], does: list[tuple[str, int, bool]], drift: list[int]
) -> None:
    now = [0]

    def clock() -> int:  # goes back, stands still, continues
        now[0] += 1
        return 10**18 + drift[now[0] % len(drift)]

    with (
        TemporaryDirectory() as folder,
        ExitStack() as ending,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(time, "time_ns", clock)
        store, model = Cache(Path(folder) / "entries", BUDGET), Model()
        open_now: dict[int, list[ExitStack]] = {}
        for what, number, stays in does:
            if what == "close":
                if open_now.get(number):
                    open_now[number].pop().close()
                    model.used[number] -= 1
                continue
            size = sizes[number]
            context = ending.enter_context(ExitStack())
            entry = context.enter_context(
                store.open(_key(number), size, lambda to, n=size: _write(to, n))
            )
            assert (entry is not None) == model.open(number, size)
            if entry is not None and stays:
                open_now.setdefault(number, []).append(context)
                model.used[number] = model.used.get(number, 0) + 1
            else:
                context.close()
            for held in (number for number, uses in model.used.items() if uses):
                file = store.folder / _key(held).name / "files" / "file"
                assert file.stat().st_size == sizes[held]
            assert _kept(store) == list(reversed(model.sizes))
            assert sum(map(size_on_disk, store.folder.glob("images-*"))) <= BUDGET


def _write(folder: Path, size: int) -> None:
    (folder / "file").write_bytes(bytes(size))


def test_what_was_not_used_for_longest_goes_first(root: Path) -> None:
    store = Cache(root, 3 * SIZE)
    for number in (1, 2, 3, 1, 4):
        assert _put(store, number)
    assert _kept(store) == [4, 1, 3]


def test_what_another_process_uses_stays(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = Cache(root, 2 * SIZE)
    with Other(root, "held") as user:
        user.expect("got built whole")
        assert _put(store, 1)
        assert _put(store, 2)  # instead of 1, which was used after the one in use
        assert [entry.in_use for entry in store.entries()] == [False, True]
        assert not _put(Cache(root, SIZE), 3)
        assert "raise the budget" in caplog.text
        user.go_on()
        assert user.rest() == []
        assert _put(store, 3)
    assert _kept(store) == [3, 2]


def test_what_another_process_builds_counts_in_full_before_it_is_written(root: Path) -> None:
    with Other(root, "writing") as builder:
        builder.expect("writes")
        assert not _put(Cache(root, 2 * SIZE - 1), 1)
        assert _put(Cache(root, 2 * SIZE), 1)
        assert [entry.state for entry in Cache(root, 0).entries()] == ["whole", "being built"]


def test_more_than_the_whole_budget_removes_nothing(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Cache(root, SIZE)
    assert _put(store, 1)
    with store.open(_key(2), SIZE + 1, build) as nothing:
        assert nothing is None
    assert _kept(store) == [1]
    assert len(caplog.records) == 1
    assert "raise the budget" in caplog.text


def test_a_builder_that_writes_more_than_it_announced_keeps_to_the_budget(root: Path) -> None:
    store = Cache(root, 2 * SIZE - 1)
    assert _put(store, 1)
    with store.open(_key(2), 1, build) as entry:  # one byte fits, and 1 goes when it is SIZE
        assert entry is not None
    assert _kept(store) == [2]


def test_a_builder_that_writes_more_than_the_budget_keeps_nothing(root: Path) -> None:
    store = Cache(root, SIZE - 1)
    with store.open(_key(1), 1, build) as nothing:
        assert nothing is None
    assert [path.name for path in root.iterdir()] == [".lock"]


def test_folders_that_are_not_the_caches_stay(root: Path) -> None:
    (root / "images-mine").mkdir(parents=True)
    (root / "images-mine" / "files").mkdir()
    (root / "images-mine" / "files" / "photo").write_bytes(bytes(10 * SIZE))
    store = Cache(root, SIZE)
    assert _put(store, 1)
    assert _put(store, 2)
    store.clear()
    assert sorted(path.name for path in root.iterdir()) == [".lock", "images-mine"]
