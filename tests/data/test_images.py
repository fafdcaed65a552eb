"""Decoded images that are kept: equal to streamed ones, shared, and done without if need be."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import painted
import pytest
import sklearn
import tensorflow as tf
from disks import OWN_DISK, file_limit
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import decoded, folder, names, picture
from PIL import Image

import sweeper
from sweeper.cache.shared_cache import Cache
from sweeper.config import Csv, Digits
from sweeper.data.batches import batches
from sweeper.data.examples import Examples
from sweeper.data.images import kept
from sweeper.data.row_reuse import HASH_BYTES
from sweeper.data.sources import loading
from sweeper.data.sources.listing import files_content
from sweeper.data.splits import split_folds, split_validation

SIDE = 24


@pytest.fixture
def store(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "entries", 1 << 30)


def photos(place: Path, size: tuple[int, int] | None = None, n: int = 12) -> Path:
    """Two classes of noise; of differing sizes, unless ``size`` is given."""
    draws = np.random.default_rng(0)
    for number in range(n):
        width, height = size or (20 + number, 30 - number)
        pixels = draws.integers(0, 256, (height, width, 3), np.uint8)
        path = place / ("cat", "dog")[number % 2] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return place


def of_folder(place: Path) -> Examples:
    return loading.load(folder(photos(place / "photos"))).train


def of_table(place: Path) -> Examples:
    images = sorted(photos(place / "photos").rglob("*.png"))
    rows = [f"photos/{one.parent.name}/{one.name},{one.parent.name}" for one in images]
    (place / "table.csv").write_text("\n".join(["image,label", *rows]))
    table = Csv(
        source="csv",
        path=place / "table.csv",
        root=None,
        image_column="image",
        label_column="label",
        split_column=None,
        validation_fraction=0.2,
        test_fraction=0.25,
        split_seed=0,
        on_corrupt="error",
    )
    return loading.load(table).train


def of_records(place: Path) -> Examples:
    return loading.load(painted.recipe(painted.prepared(place))).train


def of_digits(_place: Path) -> Examples:
    digits = Digits(source="digits", validation_fraction=0.2, test_fraction=0.02, split_seed=0)
    return loading.load(digits).test


def pixels_of(examples: Examples, side: int, seed: int | None = None) -> np.ndarray:
    """Images ``[epochs * n, side, side, 3]`` of two epochs, and that their labels come along."""
    pipeline = batches(examples, side, 5, target=lambda labels: labels, shuffle_seed=seed)
    found = list(pipeline.epochs(0, 2).as_numpy_iterator())
    labels = np.concatenate([label for _, label in found])
    if seed is None:
        np.testing.assert_array_equal(labels, np.tile(examples.labels, 2))
    return np.concatenate([images for images, _ in found])


@pytest.mark.parametrize("seed", [None, 7])
@pytest.mark.parametrize("load", [of_folder, of_table, of_records, of_digits])
def test_kept_images_are_the_streamed_ones(
    load: Callable[[Path], Examples], seed: int | None, store: Cache, tmp_path: Path
) -> None:
    examples = load(tmp_path)
    streamed = pixels_of(examples, SIDE, seed)
    for _ in ("built", "found"):
        with kept(store, examples, SIDE) as images:
            assert (images.size, images.batched) == ((SIDE, SIDE), True)
            assert (images.class_names, names(images)) == (examples.class_names, names(examples))
            np.testing.assert_array_equal(images.labels, examples.labels)
            np.testing.assert_array_equal(images.indices, examples.indices)
            read = pixels_of(images, SIDE, seed)
    assert np.abs(read - streamed).max() <= 0.5
    assert read.dtype == streamed.dtype == np.float32
    assert len(store.entries()) == 1


def test_images_of_the_size_already_are_kept_bit_for_bit(store: Cache, tmp_path: Path) -> None:
    examples = loading.load(folder(photos(tmp_path / "photos", (SIDE, SIDE)))).train
    with kept(store, examples, SIDE) as images:
        np.testing.assert_array_equal(pixels_of(images, SIDE, 3), pixels_of(examples, SIDE, 3))
        for one, other in zip(decoded(images), decoded(examples), strict=True):
            np.testing.assert_array_equal(one, other)


def test_an_entry_is_as_large_as_was_asked_for(store: Cache, tmp_path: Path) -> None:
    examples = of_folder(tmp_path)
    exact = Cache(store.folder, len(examples) * (SIDE * SIDE * 3 + HASH_BYTES))
    with kept(exact, examples, SIDE) as images:
        assert images is not examples
    (entry,) = store.entries()
    assert entry.size_bytes == exact.budget_bytes
    assert entry.kind == "images"
    assert str(entry.parts["data"]).startswith("photos ")


def numbered(n: int = 40) -> Examples:
    """Images of differing sizes, all of whose pixels tell their position in the source."""

    def decode(position: tf.Tensor) -> tf.Tensor:
        side = tf.cast(position % 5 + 3, tf.int32)
        return tf.fill([side, side + 1, 3], tf.cast(position, tf.uint8))

    return Examples(
        labels=np.arange(n) % 3,
        indices=np.arange(n),
        read=tf.data.Dataset.from_tensor_slices,
        decode=decode,
        size=None,
        content=lambda: "numbers",
    )


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examples]:
    """Every other image, kept."""
    store = Cache(tmp_path_factory.mktemp("entries"), 1 << 20)
    with kept(store, numbered().select(np.arange(1, 40, 2)), 8) as images:
        assert images.batched
        yield images


@settings(max_examples=15, deadline=None)
@given(data=st.data(), seed=st.none() | st.integers(0, 2**63 - 1))
def test_a_selection_reads_its_own_images(part: Examples, data: st.DataObject, seed: int) -> None:
    chosen = part
    for _ in range(2):
        places = data.draw(st.sets(st.integers(0, len(chosen) - 1), min_size=1))
        chosen = chosen.select(np.array(sorted(places)))
    expected = numbered().select(chosen.indices)
    np.testing.assert_array_equal(chosen.labels, expected.labels)
    np.testing.assert_array_equal(pixels_of(chosen, 8, seed), pixels_of(expected, 8, seed))


def test_splits_and_folds_are_selections_of_one_entry(store: Cache) -> None:
    with kept(store, numbered(), 8) as images:
        for train, held_out in [
            split_validation(images, 0.2, 0),
            *split_folds(images, 3, 0),
        ]:
            for selected in (train, held_out):
                found = [int(one[0, 0, 0]) for one in decoded(selected)]
                assert found == selected.indices.tolist()
    assert len(store.entries()) == 1


def same_size_and_time(path: Path) -> None:
    """Another picture, which neither size nor time gives away."""
    before = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


CHANGES: dict[str, Callable[[Path], Any]] = {
    "another image": lambda file: Image.new("RGB", (9, 9)).save(file),
    "as large and as old": same_size_and_time,
    "later": os.utime,
    "added": lambda file: picture(file.with_name("more.png")),
    "removed": Path.unlink,
    "renamed": lambda file: file.rename(file.with_name("0.png")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_any_file_is_another_fingerprint(change: str, tmp_path: Path) -> None:
    everything = folder(photos(tmp_path / "photos"), test_fraction=0.01)
    before = loading.load(everything).train.fingerprint()
    CHANGES[change](tmp_path / "photos" / "cat" / "04.png")
    assert loading.load(everything).train.fingerprint() != before


def test_moved_or_untouched_files_keep_their_fingerprint(tmp_path: Path) -> None:
    first = of_folder(tmp_path).fingerprint()
    assert first == loading.load(folder(tmp_path / "photos")).train.fingerprint()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "photos").rename(tmp_path / "elsewhere" / "photos")
    assert first == loading.load(folder(tmp_path / "elsewhere" / "photos")).train.fingerprint()


def test_rows_of_a_table_tell_as_files_do(tmp_path: Path) -> None:
    before = of_table(tmp_path)
    first = before.fingerprint()
    os.utime(before.name(0))
    assert before.fingerprint() != first


def test_names_of_one_file_are_distinguished(tmp_path: Path) -> None:
    one = photos(tmp_path, n=1) / "cat" / "00.png"
    other = one.with_name("other.png")
    other.hardlink_to(one)
    contents = {files_content("photos", tmp_path, [str(path)]) for path in (one, other)}
    assert len(contents) == 2


def test_records_tell_of_their_files_and_of_the_split(tmp_path: Path) -> None:
    def fingerprints(train_split: str) -> tuple[str | None, str | None]:
        source = loading.load(painted.recipe(tmp_path, train_split=train_split))
        return source.train.fingerprint(), source.test.fingerprint()

    painted.prepared(tmp_path)
    first = fingerprints("train")
    assert first == fingerprints("train")
    assert str(first[0]).startswith("painted/1.2.3 ")
    slices = ["train[:50%]", "train[50%:]", "train[50%:]+train[:50%]"]
    assert len({*first, *(fingerprints(one)[0] for one in slices)}) == 5
    (records,) = tmp_path.rglob("*train.tfrecord*")
    os.utime(records)
    assert fingerprints("train")[0] != first[0]
    assert fingerprints("train")[1] == first[1]


def test_another_release_of_scikit_learn_may_have_other_digits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = of_digits(tmp_path).fingerprint()
    monkeypatch.setattr(sklearn, "__version__", "0.0")
    assert of_digits(tmp_path).fingerprint() != first


def test_which_images_in_which_order_is_in_the_fingerprint() -> None:
    whole = numbered()
    some = [whole.select(np.arange(first, first + 5)) for first in (0, 1)]
    assert len({one.fingerprint() for one in (whole, *some)}) == 3
    assert some[1].fingerprint() == whole.select(np.arange(6)).select(np.arange(1, 6)).fingerprint()


def test_kept_images_have_a_fingerprint_of_their_own(store: Cache) -> None:
    whole = numbered()
    found = []
    for size in (8, 9):
        with kept(store, whole, size) as images:
            found += [images.fingerprint(), images.select(np.arange(5)).fingerprint()]
    assert len({whole.fingerprint(), *found}) == 5
    with kept(store, whole, 8) as again:
        assert again.fingerprint() == found[0]


@pytest.mark.parametrize("other", ["size", "selection", "TensorFlow"])
def test_what_decides_the_pixels_decides_the_entry(
    other: str, store: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples, size = numbered(), 8
    with kept(store, examples, size):
        pass
    if other == "size":
        size = 9
    elif other == "selection":
        examples = examples.select(np.arange(39))
    else:
        monkeypatch.setattr(tf.version, "VERSION", "3.0")
    with kept(store, examples, size):
        pass
    assert len(store.entries()) == 2


HERE = """
import sys
from pathlib import Path
sys.path[:0] = {folders!r}
import numpy as np
from pictures import folder
from sweeper.cache.shared_cache import Cache
from sweeper.data.sources import loading
from sweeper.data.images import kept
from sweeper.data.row_reuse import HASH_BYTES
from test_images import pixels_of
store = Cache(Path(sys.argv[1]), int(sys.argv[3]))
train = loading.load(folder(Path(sys.argv[2]))).train
with kept(store, train, {side}) as images:
    print(images is train, np.save(sys.argv[4], pixels_of(images, {side})))
"""


def elsewhere(store: Cache, data: Path, read: Path, *before: str) -> list[str]:
    """What another process says that reads ``data`` by way of ``store``; its pixels in ``read``."""
    here = Path(__file__).parent
    program = HERE.format(folders=[str(here), str(here.parent)], side=SIDE)
    arguments = [str(store.folder), str(data), str(store.budget_bytes), str(read)]
    ended = subprocess.run(
        [*before, sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(sweeper.__file__).parents[1])},
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.split()[:1]


@pytest.mark.more
def test_another_process_reads_the_same_entry(store: Cache, tmp_path: Path) -> None:
    examples = of_folder(tmp_path)
    with kept(store, examples, SIDE) as images:
        (built,) = store.entries()
        assert elsewhere(store, tmp_path / "photos", tmp_path / "read.npy") == ["False"]
        np.testing.assert_array_equal(np.load(tmp_path / "read.npy"), pixels_of(images, SIDE))
    (used,) = store.entries()
    assert (used.name, used.built) == (built.name, built.built)


@pytest.mark.more
@pytest.mark.slow
def test_a_full_disk_streams(store: Cache, tmp_path: Path) -> None:
    examples = of_folder(tmp_path)
    store.folder.mkdir()
    own_disk = ["unshare", "-rm", "sh", "-c", OWN_DISK, "sh", "size=4k", str(store.folder)]
    possible = (
        shutil.which("unshare") and subprocess.run([*own_disk, "true"], check=False).returncode == 0
    )
    if not possible:
        pytest.skip("this system lets nobody mount a disk of their own")
    printed = elsewhere(store, tmp_path / "photos", tmp_path / "read.npy", *own_disk)
    assert printed == ["True"]
    np.testing.assert_array_equal(np.load(tmp_path / "read.npy"), pixels_of(examples, SIDE))


def test_a_disk_that_fills_up_streams(store: Cache, caplog: pytest.LogCaptureFixture) -> None:
    whole = numbered()
    with file_limit(4096), kept(store, whole, SIDE) as images:
        assert images is whole
    assert "is not kept" in caplog.text
    assert store.entries() == []


def test_no_budget_streams(store: Cache) -> None:
    whole = numbered()
    with kept(Cache(store.folder, 0), whole, 8) as images:
        assert images is whole


def test_a_disk_that_cannot_be_mapped_streams(
    store: Cache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(19, "No such device")

    monkeypatch.setattr(np, "memmap", refused)
    whole = numbered()
    with kept(store, whole, 8) as images:
        assert images is whole
    assert "cannot be mapped" in caplog.text


def test_images_in_memory_that_have_the_size_are_not_kept(store: Cache, tmp_path: Path) -> None:
    digits = of_digits(tmp_path)
    with kept(store, digits, 8) as images:
        assert images is digits
    with kept(store, numbered(), 8) as images, kept(store, images, 8) as again:
        assert again is images


def test_a_source_that_cannot_say_what_it_has_is_not_kept(store: Cache) -> None:
    unknown = Examples(**{**vars(numbered()), "content": None})
    with kept(store, unknown, 8) as images:
        assert images is unknown


def reason(error: tf.errors.OpError) -> str:
    """What the decoder says, without the stages of the pipeline around it."""
    return str(error.message).split("\n")[0].rsplit(": ", 1)[-1]


def test_an_image_that_cannot_be_decoded_fails_as_it_does_when_streamed(
    store: Cache, tmp_path: Path
) -> None:
    examples = of_folder(tmp_path)
    broken = Path(examples.name(int(examples.indices[3])))
    broken.write_bytes(broken.read_bytes()[:400])
    with pytest.raises(tf.errors.InvalidArgumentError) as streamed:
        pixels_of(examples, SIDE)
    with pytest.raises(tf.errors.InvalidArgumentError) as caught, kept(store, examples, SIDE):
        pass
    assert reason(caught.value) == reason(streamed.value) == "Invalid PNG data, size 400"
    assert store.entries() == []


def test_an_image_that_is_gone_fails_as_it_does_when_streamed(store: Cache, tmp_path: Path) -> None:
    examples = of_folder(tmp_path)
    Path(examples.name(int(examples.indices[3]))).unlink()
    with kept(store, examples, SIDE) as images:
        assert images is examples
    with pytest.raises(tf.errors.NotFoundError):
        pixels_of(examples, SIDE)


def test_an_entry_stays_as_long_as_it_is_used(store: Cache) -> None:
    with kept(store, numbered(), 8) as images:
        assert [one.kind for one in store.clear().left] == ["images"]
        assert decoded(images)[39][0, 0, 0] == 39
    assert len(store.clear().removed) == 1


def private_megabytes() -> float:
    """Memory of this process that is no file's."""
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells of memory")
def test_no_process_has_a_copy_of_the_file(store: Cache) -> None:
    blank = Examples(
        labels=np.zeros(1000, np.int64),
        indices=np.arange(1000),
        read=tf.data.Dataset.from_tensor_slices,
        decode=lambda places: tf.zeros([*places.shape, 8, 8, 3], tf.uint8),
        size=(8, 8),
        content=lambda: "nothing",
    )
    with kept(store, blank, 256) as images:
        pass
    before = private_megabytes()
    with kept(store, blank, 256) as images:
        few = batches(images, 256, 8, target=lambda labels: labels, shuffle_seed=1)
        for _ in range(2):
            next(iter(few.dataset))
        assert store.entries()[0].size_bytes > 180e6
        assert private_megabytes() - before < 90
