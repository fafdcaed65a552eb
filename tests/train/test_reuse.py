"""When a data set has changed a little, only its new images are decoded and computed."""

import contextlib
import logging
import multiprocessing
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import keras
import numpy as np
import pytest
from data.pictures import folder
from disks import file_limit
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from recipes import recipe
from sharers import recompute
from test_features import HALF, PLAIN, beyond, features, in_order, prefixes

from sweeper.cache.shared_cache import Cache
from sweeper.config import Csv
from sweeper.data.augment.augmentation import build_augment
from sweeper.data.examples import Examples
from sweeper.data.images import kept
from sweeper.data.row_reuse import INDEX
from sweeper.data.sources import loading
from sweeper.models.prefix import Prefix
from sweeper.train.frozen.features import Features
from sweeper.train.frozen.views import Images, View
from sweeper.train.runtime import numerics

SIDE = 8
CLASSES = ("cat", "dog", "owl")
BUDGET = 10**9


@pytest.fixture(autouse=True)
def set_up() -> None:
    numerics.set_up(recipe())


@pytest.fixture
def held() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


def draw(place: Path, image: int) -> None:
    """A file whose content is that of no other number."""
    place.parent.mkdir(parents=True, exist_ok=True)
    draws = np.random.default_rng(image)
    pixels = draws.integers(0, 256, (9 + image % 3, 10, 3), np.uint8)
    Image.fromarray(pixels).save(place, "PNG")


def photos(place: Path, numbers: Sequence[int] = range(30)) -> Path:
    """Images of these numbers, of three classes."""
    for number in numbers:
        draw(place / CLASSES[number % 3] / f"{number:03}.png", number)
    return place


def of_folder(place: Path) -> Examples:
    return loading.load(folder(place, test_fraction=0)).train


def of_table(place: Path) -> Examples:
    """The same images, read through a table that has them in another order and of two classes."""
    files = sorted(place.rglob("*.png"), reverse=True)
    rows = [f"{file.relative_to(place)},{number % 2}" for number, file in enumerate(files)]
    (place / "table.csv").write_text("\n".join(["image,label", *rows]))
    return loading.load(
        Csv(
            source="csv",
            path=place / "table.csv",
            root=None,
            image_column="image",
            label_column="label",
            split_column=None,
            validation_fraction=0.2,
            test_fraction=0,
            split_seed=0,
            on_corrupt="error",
        )
    ).train


def images(examples: Examples, *changes: str, view: int = 0) -> Images:
    made = recipe(*changes)
    augment = build_augment(made.augment, made.seed)
    return Images(examples, str(examples.fingerprint()), SIDE, augment, PLAIN, view)


@dataclass(frozen=True)
class Outcome:
    """What was done, and features in the order of the examples."""

    decoded: int
    computed: int
    reused: int
    values: Sequence[np.ndarray]


def outcome(
    store: Cache,
    place: Path,
    *changes: str,
    models: Sequence[keras.Model] | None = None,
    view: int = 0,
    read: Callable[[Path], Examples] = of_folder,
) -> Outcome:
    """Decode and compute what the images of ``place`` lack, as a sweep does."""
    decoded = 0

    def on_images(_done: int, total: int) -> None:
        nonlocal decoded
        decoded = total

    models = models or prefixes([1, 0])
    with contextlib.ExitStack() as held:
        examples = held.enter_context(kept(store, read(place), SIDE, on_images))
        made = features(store, models)
        opened = made.open([[images(examples, *changes, view=view)]] * len(models), held)
        values = [in_order(one[0], one[0].values) for one in opened if one]
    assert len(values) == len(models)
    return Outcome(decoded, made.computing.computed, made.computing.reused, values)


def check(found: Outcome, place: Path, *changes: str, view: int = 0) -> None:
    """Compare with what is computed from nothing."""
    with TemporaryDirectory() as elsewhere:
        fresh = outcome(Cache(Path(elsewhere), BUDGET), place, *changes, view=view)
    assert fresh.reused == 0
    for one, other in zip(found.values, fresh.values, strict=True):
        # a network may add in another order where an image stands among others
        np.testing.assert_allclose(one, other, rtol=HALF, atol=1e-6)


def edit(place: Path, kind: str, draws: np.random.Generator, fresh: int) -> int:
    """Change the data set; how many images are new by that."""
    files = sorted(place.rglob("*.png"))
    file = files[draws.integers(len(files))]
    match kind:
        case "relabel":
            target = place / CLASSES[draws.integers(3)] / f"moved_{fresh}.png"
            file.rename(target)
        case "rename":
            file.rename(file.with_name(f"{draws.integers(10**6)}_{fresh}.png"))
        case "add":
            draw(file.with_name(f"new_{fresh}.png"), 1000 + fresh)
            return 1
        case "copy":
            shutil.copy(file, file.with_name(f"copy_{fresh}.png"))
        case "touch":
            file.write_bytes(file.read_bytes())
        case "replace":
            draw(file, 1000 + fresh)
            return 1
        case "remove":
            file.unlink()
    return 0


EDITS = ("relabel", "rename", "add", "copy", "touch", "replace", "remove")


@pytest.mark.more
@settings(max_examples=6, deadline=None)
@given(
    edits=st.lists(st.sampled_from(EDITS), min_size=1, max_size=8),
    seed=st.integers(0, 99),
    augment=st.sampled_from(["none", "digits"]),
)
def test_after_any_edits_only_new_images_are_computed(
    edits: list[str], seed: int, augment: str
) -> None:
    draws = np.random.default_rng(seed)
    with TemporaryDirectory() as above:
        place, store = photos(Path(above, "photos")), Cache(Path(above, "entries"), BUDGET)
        change = f"augment={augment}"
        first = outcome(store, place, change)
        assert (first.decoded, first.computed, first.reused) == (30, 30, 0)
        contents = {file.read_bytes() for file in place.rglob("*.png")}
        for number, kind in enumerate(edits):
            edit(place, kind, draws, number)
        now = [file.read_bytes() for file in place.rglob("*.png")]
        new = sum(content not in contents for content in now)
        second = outcome(store, place, change)
        # nothing at all where the entry serves as it is
        touched = second.reused + second.computed
        assert touched in (0, len(now))
        assert (second.decoded, second.computed) == (new, new)
        check(second, place, change)


def test_rows_of_several_entries_come_together(tmp_path: Path) -> None:
    store = Cache(tmp_path / "entries", BUDGET)
    photos(tmp_path / "one", range(12))
    photos(tmp_path / "two", range(9, 24))
    for part in ("one", "two"):
        outcome(store, tmp_path / part)
    both = photos(tmp_path / "both", range(27))
    found = outcome(store, both)
    assert (found.decoded, found.computed, found.reused) == (3, 3, 24)
    check(found, both)


@pytest.mark.parametrize("augment", ["none", "digits"])
def test_a_table_of_the_same_images_is_known(augment: str, tmp_path: Path) -> None:
    store, place = Cache(tmp_path / "entries", BUDGET), photos(tmp_path / "photos")
    first = outcome(store, place, f"augment={augment}", models=prefixes([0]))
    found = outcome(store, place, f"augment={augment}", models=prefixes([0]), read=of_table)
    assert (found.decoded, found.computed, found.reused) == (0, 0, 30)
    in_rows = [of_folder(place).name(row) for row in range(30)]
    places = [in_rows.index(of_table(place).name(row)) for row in range(30)]
    np.testing.assert_array_equal(found.values[0], first.values[0][places])


def test_an_image_that_trains_now_and_validated_before_is_known(tmp_path: Path) -> None:
    store, place = Cache(tmp_path / "entries", BUDGET), photos(tmp_path / "photos")
    model = prefixes([0])
    with contextlib.ExitStack() as held:
        everything = held.enter_context(kept(store, of_folder(place), SIDE))
        parts = [everything.select(np.arange(20)), everything.select(np.arange(20, 30))]
        features(store, model).open([[images(part) for part in parts]], held)
        again = features(store, model)
        again.open([[images(everything.select(np.arange(10, 25)))]], held)
    assert (again.computing.computed, again.computing.reused) == (0, 15)


def test_where_nothing_is_new_no_network_is_built(tmp_path: Path) -> None:
    store, place = Cache(tmp_path / "entries", BUDGET), photos(tmp_path / "photos")
    models = prefixes([0])
    outcome(store, place, models=models)
    shutil.move(place, tmp_path / "elsewhere")
    draw(tmp_path / "elsewhere" / "cat" / "003.png", 3)  # another time
    found = outcome(store, tmp_path / "elsewhere", models=models)
    assert (found.decoded, found.computed, found.reused) == (0, 0, 30)
    check(outcome(store, tmp_path / "elsewhere"), tmp_path / "elsewhere")


def test_what_another_network_view_or_seed_gave_is_not_taken(tmp_path: Path) -> None:
    store, place = Cache(tmp_path / "entries", BUDGET), photos(tmp_path / "photos")
    outcome(store, place, "augment=digits", models=prefixes([0]))
    outcome(store, place, models=prefixes([0]))
    draw(place / "cat" / "new.png", 99)

    keras.utils.set_random_seed(0)
    other = prefixes([0])
    other[0].weights[0].assign(other[0].weights[0] + 0.1)
    for changes, view, models in (
        ((), 0, other),
        ((), 0, prefixes([1])),
        (("augment=digits",), 1, None),
        (("augment=digits", "seed=1"), 0, None),
        (("augment=digits", "augment.rotation=0.2"), 0, None),
    ):
        found = outcome(store, place, *changes, view=view, models=models or prefixes([0]))
        assert found.reused == 0
        assert found.computed == 31


def test_one_cut_that_lacks_an_image_has_it_computed_for_all(tmp_path: Path) -> None:
    store, place = Cache(tmp_path / "entries", BUDGET), photos(tmp_path / "photos")
    outcome(store, place, models=prefixes([0]))
    outcome(store, photos(tmp_path / "few", range(12)), models=prefixes([1]))
    draw(place / "cat" / "new.png", 99)
    found = outcome(store, place)
    assert (found.computed, found.reused) == (19, 12)
    check(found, place)


def test_mixed_images_are_computed_anew(tmp_path: Path) -> None:
    store, place = Cache(tmp_path / "entries", BUDGET), photos(tmp_path / "photos")
    mixed = "augment.mixup=0.4"
    outcome(store, place, mixed, models=prefixes([0]))
    draw(place / "cat" / "new.png", 99)
    found = outcome(store, place, mixed, models=prefixes([0]))
    assert (found.decoded, found.computed, found.reused) == (1, 31, 0)


def test_an_evicted_or_damaged_entry_is_done_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store, place = Cache(tmp_path / "entries", BUDGET), photos(tmp_path / "photos")
    outcome(store, place)
    draw(place / "cat" / "new.png", 99)
    store.clear(kind="features")
    found = outcome(store, place)
    assert (found.decoded, found.computed, found.reused) == (1, 31, 0)
    for file in store.folder.glob("*/files/values.float16"):
        file.write_bytes(file.read_bytes()[::-1])
    draw(place / "cat" / "newer.png", 98)
    found = outcome(store, place)
    assert (found.decoded, found.computed, found.reused) == (1, 32, 0)
    assert "is not reused" in caplog.text
    check(found, place)


def test_a_budget_of_one_set_evicts_what_would_have_been_copied(tmp_path: Path) -> None:
    place = photos(tmp_path / "photos")
    outcome(Cache(tmp_path / "entries", BUDGET), place)
    size = sum(entry.size_bytes for entry in Cache(tmp_path / "entries", 0).entries())
    tight = Cache(tmp_path / "entries", size + 1000)
    draw(place / "cat" / "new.png", 99)
    found = outcome(tight, place)
    assert found.decoded == 31
    assert found.computed + found.reused == 31
    assert sum(entry.size_bytes for entry in tight.entries()) <= tight.budget_bytes
    check(found, place)


def test_entries_of_an_earlier_version_serve_as_they_are_and_give_no_rows(tmp_path: Path) -> None:
    store, place = Cache(tmp_path / "entries", BUDGET), photos(tmp_path / "photos")
    with pytest.MonkeyPatch.context() as earlier:
        for module in ("sweeper.data.images", "sweeper.train.frozen.computing"):
            earlier.setattr(f"{module}.write_index", lambda _folder, _hashes: None)
        outcome(store, place)
    assert not list(store.folder.glob(f"*/files/{INDEX}"))
    again = outcome(store, place)
    assert (again.decoded, again.computed, again.reused) == (0, 0, 0)
    other = outcome(store, place, "augment=digits")
    assert (other.decoded, other.computed) == (0, 30)
    check(other, place, "augment=digits")
    draw(place / "cat" / "new.png", 99)
    found = outcome(store, place)
    assert (found.decoded, found.computed) == (31, 31)


def test_files_that_change_while_they_are_read_give_nothing_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store, place = Cache(tmp_path / "entries", BUDGET), photos(tmp_path / "photos")
    examples = of_folder(place)
    plain = examples.hashes
    assert plain is not None
    content = (place / "cat" / "000.png").read_bytes()

    def then_changed(indices: np.ndarray) -> np.ndarray:
        found = plain(indices)
        draw(place / "cat" / "000.png", 99)
        return found

    with kept(store, replace(examples, hashes=then_changed), SIDE) as wrong:
        assert wrong.hashes is None
    assert "is not reused for others" in caplog.text
    (place / "cat" / "000.png").write_bytes(content)
    found = outcome(store, place)
    assert (found.decoded, found.reused) == (30, 0)
    check(found, place)


def test_progress_counts_what_is_left(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    store, place = Cache(tmp_path / "entries", BUDGET), photos(tmp_path / "photos")
    outcome(store, place)
    draw(place / "cat" / "new.png", 99)
    received: list[tuple[int, int]] = []
    with contextlib.ExitStack() as held:
        examples = held.enter_context(kept(store, of_folder(place), SIDE))
        given = [Prefix(lambda: prefixes([0])[0])]
        made = Features(store, given, "float32", lambda *counts: received.append(counts))
        made.open([[images(examples), images(examples, "augment=digits")]], held)
    assert received == [(1, 32), (32, 32)]
    assert "frozen layers see 1 of 31 images" in caplog.text
    assert "30 of 31 rows are taken from features-" in caplog.text
    assert "decoding 1 images" in caplog.text


def test_a_disk_that_is_full_keeps_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store, place = Cache(tmp_path / "entries", BUDGET), photos(tmp_path / "photos")
    outcome(store, place)
    draw(place / "cat" / "new.png", 99)
    before = {entry.name for entry in store.entries()}
    with contextlib.ExitStack() as held:
        examples = held.enter_context(kept(store, of_folder(place), SIDE))
        with file_limit(5000):
            assert features(store, prefixes([1])).open([[images(examples)]], held) == [None]
    assert "features are not kept: File too large" in caplog.text
    assert {entry.name for entry in store.entries() if entry.kind == "features"} == {
        name for name in before if name.startswith("features")
    }
    check(outcome(store, place), place)


def test_numbers_beyond_half_precision_give_nothing(
    tmp_path: Path, held: contextlib.ExitStack
) -> None:
    store, place = Cache(tmp_path / "entries", BUDGET), photos(tmp_path / "photos")
    large = beyond(1e4)[:1]
    for count in (30, 31):
        examples = held.enter_context(kept(store, of_folder(place), SIDE))
        made = features(store, large)
        assert made.open([[images(examples)]], held) == [None]
        assert made.computing.reused == 0
        draw(place / "cat" / "new.png", 99 + count)


def test_seconds_are_those_of_all_images(tmp_path: Path, held: contextlib.ExitStack) -> None:
    store, place = Cache(tmp_path / "entries", BUDGET), photos(tmp_path / "photos")

    def view() -> View:
        examples = held.enter_context(kept(store, of_folder(place), SIDE))
        opened = features(store, prefixes([0])).open([[images(examples)]], held)[0]
        assert opened is not None
        return opened[0]

    first = view().seconds
    draw(place / "cat" / "003.png", 3)
    assert view().seconds == pytest.approx(first)
    assert first > 0


@pytest.fixture(scope="module")
def server() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tensorflow", "keras", "sharers", "test_reuse"])
    return context


@pytest.mark.more
@pytest.mark.parametrize(
    "moment",
    [
        pytest.param("sweeper.data.images.copy_rows", marks=pytest.mark.more),
        pytest.param("sweeper.data.images.write_rows", marks=pytest.mark.more),
        "sweeper.train.frozen.reused_features.copy_rows",
        pytest.param("sweeper.train.frozen.frozen_pass.write_rows", marks=pytest.mark.more),
        pytest.param("sweeper.train.frozen.computing.write_index", marks=pytest.mark.more),
    ],
)
def test_a_killed_builder_leaves_older_entries_to_the_next(
    moment: str, tmp_path: Path, server: multiprocessing.context.ForkServerContext
) -> None:
    store, place = Cache(tmp_path / "entries", BUDGET), photos(tmp_path / "photos")
    outcome(store, place)
    draw(place / "cat" / "new.png", 99)
    dying = server.Process(target=recompute, args=(store.folder, place, moment))
    dying.start()
    dying.join()
    assert dying.exitcode == -signal.SIGKILL
    assert list(store.folder.glob(".*-*"))
    found = outcome(store, place)
    assert (found.computed, found.reused) == (1, 30)
    assert not list(store.folder.glob(".*-*"))
    assert store.verify() == []
    check(found, place)
