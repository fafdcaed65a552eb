"""tensorflow-datasets: small real prepared data sets, and all the ways they can be missing."""

import http.server
import io
import threading
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from painted import CLASSES, FEATURES, SIZES, painted, prepared, recipe
from pictures import decoded, faults, names
from PIL import Image

from sweeper.data.sources import loading, tfds_source
from sweeper.data.splits import given_validation, split_validation
from sweeper.errors import ConfigError, MissingInput


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("tfds"))


@pytest.fixture
def _no_internet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """All of the internet behind a port where nobody listens; this machine itself is reachable."""
    for scheme in ("http", "https"):
        monkeypatch.setenv(f"{scheme}_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    # urllib reads proxies at its first request, and keeps them for the process
    urllib.request.install_opener(None)
    yield
    urllib.request.install_opener(None)


def test_prepared_data_is_read_as_it_was_written(data_dir):
    loading.prepare(recipe(data_dir))
    source = loading.load(recipe(data_dir))
    assert source.class_names == tuple(CLASSES)
    for examples, size in ((source.train, 30), (source.test, 9)):
        pictures = decoded(examples)
        assert sorted(picture[0, 0, 0] for picture in pictures) == list(range(size))
        assert [picture[0, 0, 1] for picture in pictures] == examples.labels.tolist()
        assert all(picture.shape == (6, 8 + picture[0, 0, 0], 3) for picture in pictures)
        assert examples.labels.dtype == np.int64


def test_labels_are_read_without_decoding(data_dir):
    raw = loading.load(recipe(data_dir)).train.raw()
    assert raw.element_spec == tf.TensorSpec((), tf.string)
    assert raw.cardinality() == 30


def test_validation_reads_only_its_own_images_in_order(data_dir):
    whole = loading.load(recipe(data_dir)).train
    train, validation = split_validation(whole, 0.2, 0)
    assert (len(train), len(validation)) == (24, 6)
    names = [picture[0, 0, 0] for picture in decoded(whole)]
    for part in (train, validation):
        assert [picture[0, 0, 0] for picture in decoded(part)] == [names[i] for i in part.indices]
        assert part.raw().cardinality() == len(part)


def test_records_are_read_again_and_do_not_stay_in_memory(data_dir, monkeypatch):
    read = []

    def counted(*of):
        def seen(record):
            return tf.numpy_function(lambda image: read.append(1) or image, [record], tf.string)

        return records_of(*of).map(lambda record: {"image": seen(record["image"])})

    records_of = tfds_source.records_of
    monkeypatch.setattr(tfds_source, "records_of", counted)
    raw = loading.load(recipe(data_dir)).train.raw()
    assert len(list(raw)) == len(list(raw)) == 30
    assert len(read) == 60


def test_test_from_train(data_dir):
    source = loading.load(recipe(data_dir, test_split=None))
    assert (len(source.train), len(source.test)) == (24, 6)
    seen = [p[0, 0, 0] for part in (source.train, source.test) for p in decoded(part)]
    assert sorted(seen) == list(range(30))


def test_slices_of_splits(data_dir):
    source = loading.load(
        recipe(data_dir, train_split="train[:50%]+test", test_split="train[80%:]")
    )
    assert (len(source.train), len(source.test)) == (24, 6)


def stored(folder: Path, name: str, rows: dict[str, list[tuple[bytes, int]]], **options: Any):
    """Encoded images and labels of each split, prepared as data set ``name``."""
    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version="1.0.0",
        features=tfds.features.FeaturesDict({key: FEATURES[key]() for key in ("image", "label")}),
        data_dir=folder,
        split_datasets={
            split: [
                (f"{number}", {"image": io.BytesIO(image), "label": label})
                for number, (image, label) in enumerate(images)
            ]
            for split, images in rows.items()
        },
        **options,
    )


def png(level: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), (level, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


BROKEN = {3: b"no image", 4: png(4)[:40], 11: b""}


@pytest.fixture(scope="module")
def holed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files of twelve records, of which three are no images."""
    folder = tmp_path_factory.mktemp("holed")
    train = [(BROKEN.get(number, png(number)), number % 3) for number in range(24)]
    tests = [(png(100 + number), number % 3) for number in range(6)]
    sharded = tfds.download.DownloadConfig(num_shards=2)
    stored(folder, "holed", {"train": train, "test": tests}, download_config=sharded)
    return folder


def broken_names(folder: Path, split: str) -> set[str]:
    """The files and records of all broken images, as tensorflow-datasets counts them."""
    records = tfds.builder("holed", data_dir=folder).as_dataset(
        split=split,
        decoders={"image": tfds.decode.SkipDecoding()},
        read_config=tfds.ReadConfig(add_tfds_id=True, interleave_cycle_length=1),
        shuffle_files=False,
    )
    ids = [
        record["tfds_id"].decode().split("__")
        for record in records.as_numpy_iterator()
        if record["image"] in BROKEN.values()
    ]
    return {f"record {n} of {folder}/holed/1.0.0/{file}" for file, n in ids}


@pytest.mark.parametrize("test_split", ["test", None])
def test_a_validation_split_validates(tmp_path, test_split):
    rows = [(png(20 * number), number % 2) for number in range(1, 13)]
    stored(tmp_path, "given", {"train": rows[:6], "validation": rows[6:10], "test": rows[10:]})
    known = recipe(
        tmp_path, name="given", validation_split="validation", test_split=test_split,
        test_fraction=0.34,
    )  # fmt: skip
    assert loading.has_validation(known)
    assert not loading.has_validation(recipe(tmp_path, name="given"))
    assert loading.prepare(known) == ["classes of given without an image: 1 of 3"]
    source = loading.load(known)
    train, validation = given_validation(source)

    def levels(examples):
        return sorted(int(image[0, 0, 0]) for image in decoded(examples))

    assert levels(validation) == [140, 160, 180, 200]
    assert validation.labels.tolist() == [
        {140: 1, 160: 0, 180: 1, 200: 0}[image[0, 0, 0]] for image in decoded(validation)
    ]
    if test_split:
        assert levels(train) == [20, 40, 60, 80, 100, 120]
        assert levels(source.test) == [220, 240]
    else:  # drawn from what trains, never from what validates
        assert sorted(levels(train) + levels(source.test)) == [20, 40, 60, 80, 100, 120]
        assert len(source.test) == 2
    without = loading.load(recipe(tmp_path, name="given"))
    assert len(without.train) == 6


@pytest.mark.parametrize("split", ["test+train[30%:90%]", "all"])
def test_broken_images_are_named_by_file_and_record(holed, split):
    found = faults(recipe(holed, name="holed", train_split=split), loading.prepare)
    named = {fault.split(" cannot be decoded")[0] for fault in found}
    assert named == broken_names(holed, split) != set()


def test_broken_images_are_left_out(holed):
    skipping = recipe(holed, name="holed", on_corrupt="skip")
    whole = loading.load(recipe(holed, name="holed")).train
    (reported,) = loading.prepare(skipping)
    assert reported.startswith(
        "3 of 24 images of 'train' of holed cannot be decoded and are left out: record "
    )
    source = loading.load(skipping)
    lost = broken_names(holed, "train")
    assert names(source.train) == [name for name in names(whole) if name not in lost]
    levels = [image[0, 0, 0] for image in decoded(source.train)]
    assert sorted(levels) == [number for number in range(24) if number not in BROKEN]
    assert [level % 3 for level in levels] == source.train.labels.tolist()
    assert len(source.test) == 6


def test_the_scan_is_of_the_image_that_is_asked_for(tmp_path):
    features = {key: FEATURES[key]() for key in ("image", "label")}
    features["mask"] = tfds.features.Image()
    row = {"image": np.zeros((2, 2, 3), np.uint8), "mask": io.BytesIO(b"no image")}
    tfds.dataset_builders.store_as_tfds_dataset(
        name="masked",
        version="1.0.0",
        features=tfds.features.FeaturesDict(features),
        data_dir=tmp_path,
        split_datasets={"train": [(f"{n}", {**row, "label": n % 3}) for n in range(6)]},
    )
    dataset = recipe(tmp_path, name="masked", test_split=None, test_fraction=0.5)
    assert loading.prepare(dataset) == []
    found = faults(dataset.model_copy(update={"image_key": "mask"}), loading.prepare)
    assert len(found) == 6


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_damaged_files_are_named_and_never_skipped(tmp_path, damage):
    rows = [(png(number), number % 3) for number in range(24)]
    sharded = tfds.download.DownloadConfig(num_shards=2)
    stored(tmp_path, "holed", {"train": rows, "test": rows[:3]}, download_config=sharded)
    file = tmp_path / "holed" / "1.0.0" / "holed-train.tfrecord-00001-of-00002"
    content = bytearray(file.read_bytes())
    if damage == "cut":
        file.write_bytes(content[:-30])
    elif damage == "flipped":
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    else:
        file.unlink()
    for on_corrupt in ("error", "skip"):
        (fault,) = faults(recipe(tmp_path, name="holed", on_corrupt=on_corrupt), loading.prepare)
        assert fault.startswith(f"{file} cannot be read (")
        assert f"remove {file.parent} and prepare holed again" in fault


def test_fewer_records_than_were_written(tmp_path):
    rows = [(png(number), number % 3) for number in range(24)]
    stored(tmp_path, "holed", {"train": rows, "test": rows[:3]})
    file = tmp_path / "holed" / "1.0.0" / "holed-train.tfrecord-00000-of-00001"
    kept = list(tf.data.TFRecordDataset(str(file)).take(20).as_numpy_iterator())
    with tf.io.TFRecordWriter(str(file)) as writer:
        for record in kept:
            writer.write(record)
    (fault,) = faults(recipe(tmp_path, name="holed"), loading.prepare)
    assert fault.startswith(f"{file.parent} cannot be read (")
    assert "remove" in fault


def test_a_class_of_one_split_only(tmp_path):
    rows = [(png(number), number % 2) for number in range(4)]
    stored(tmp_path, "holed", {"train": rows, "test": [*rows, (png(9), 2)]})
    assert faults(recipe(tmp_path, name="holed")) == (
        "'test' of holed has a class 'cat' that 'train' of holed lacks",
    )


def test_a_class_without_images_is_reported(tmp_path):
    rows = [(png(number), number % 2) for number in range(4)]
    stored(tmp_path, "holed", {"train": rows, "test": rows})
    assert loading.prepare(recipe(tmp_path, name="holed")) == [
        "classes of holed without an image: 1 of 3"
    ]


def test_a_class_with_a_single_image(tmp_path):
    rows = [(png(number), number % 2) for number in range(4)]
    stored(tmp_path, "holed", {"train": [*rows, (png(9), 2)]})
    (fault,) = faults(recipe(tmp_path, name="holed", test_split=None), loading.prepare)
    assert "dataset.test_fraction cannot be held out: class 'cat' has a single image" in fault


def test_a_fixed_size_is_known(tmp_path):
    features = {
        "picture": tfds.features.Image(shape=(7, 5, 1)),
        "kind": tfds.features.ClassLabel(num_classes=2),
    }
    rows = [("a", {"picture": np.full((7, 5, 1), 9, np.uint8), "kind": 1})]
    tfds.dataset_builders.store_as_tfds_dataset(
        name="grey",
        version="1.0.0",
        features=tfds.features.FeaturesDict(features),
        data_dir=tmp_path,
        split_datasets={"train": rows, "test": rows},
    )
    source = loading.load(recipe(tmp_path, name="grey", image_key="picture", label_key="kind"))
    assert source.train.size == (7, 5)
    assert source.class_names == ("0", "1")
    np.testing.assert_array_equal(decoded(source.train), np.full((1, 7, 5, 3), 9))


def test_unlabelled_decoded(tmp_path):
    features = tfds.features.FeaturesDict({key: FEATURES[key]() for key in ("image", "label")})
    rows = [("a", {"image": np.zeros((2, 2, 3), np.uint8), "label": -1})]
    tfds.dataset_builders.store_as_tfds_dataset(
        name="contest",
        version="1.0.0",
        features=features,
        data_dir=tmp_path,
        split_datasets={"train": rows, "test": rows},
    )
    with pytest.raises(ConfigError, match="'train' of contest has 1 images without a label"):
        loading.load(recipe(tmp_path, name="contest"))


def test_all_wrong_keys_are_named_with_the_nearest(data_dir):
    wrong = recipe(
        data_dir, image_key="imag", label_key="name", train_split="trian", test_split="best[:10]"
    )
    for reads in (loading.load, loading.prepare):
        with pytest.raises(ConfigError) as caught:
            reads(wrong)
        image, label, train, test = caught.value.faults
        assert "dataset.image_key" in image
        assert "did you mean 'image'?" in image
        assert label == "dataset.label_key: 'name' is a Text, not one ClassLabel"
        assert "dataset.train_split" in train
        assert "did you mean 'train'?" in train
        assert "got 'best'; did you mean 'test'?" in test


def test_images_must_have_eight_bits(data_dir):
    with pytest.raises(ConfigError, match="'depth' holds uint16"):
        loading.load(recipe(data_dir, image_key="depth"))


def test_a_slice_that_makes_no_sense(data_dir):
    with pytest.raises(ConfigError, match=r"dataset.test_split 'test\[x:\]' cannot be read"):
        loading.load(recipe(data_dir, test_split="test[x:]"))


def test_unknown_name(tmp_path):
    with pytest.raises(ConfigError) as caught:
        loading.prepare(recipe(tmp_path, name="stanford_dog"))
    assert f"under {tmp_path}, got 'stanford_dog'; did you mean 'stanford_dogs'?" in str(
        caught.value
    )


@pytest.mark.parametrize("name", ["stanford_dogs:9.9.9", "cifar10_1/v99"])
def test_unknown_version_or_configuration(tmp_path, name):
    with pytest.raises(ConfigError, match=f"dataset.name '{name}' cannot be used"):
        loading.prepare(recipe(tmp_path, name=name))


@pytest.mark.usefixtures("_no_internet")
def test_absent_without_internet(tmp_path):
    with pytest.raises(MissingInput) as caught:
        loading.prepare(recipe(tmp_path, name="stanford_dogs"))
    assert str(caught.value) == (
        "stanford_dogs 0.2.0 is not prepared, and there is no internet to download it; "
        f"looked in {tmp_path}/stanford_dogs/0.2.0; "
        "set dataset.data_dir=<folder with prepared data>, or put its archives into "
        f"{tmp_path}/downloads/manual: annotation.tar, images.tar, lists.tar"
    )
    assert not list(tmp_path.iterdir())


class HandPlaced(tfds.core.GeneratorBasedBuilder):
    """A data set whose one archive nobody serves, as those that are gone from the internet."""

    pkg_dir_path = Path(__file__).parent
    VERSION = tfds.core.Version("1.0.0")
    URL = "http://127.0.0.1:9/hand_placed.zip"
    url_infos = {}  # noqa: RUF012 - as in tensorflow-datasets

    def _info(self):
        label = tfds.features.ClassLabel(names=CLASSES)
        features = tfds.features.FeaturesDict({"image": tfds.features.Image(), "label": label})
        return self.dataset_info_from_configs(features=features, homepage="http://127.0.0.1:9/")

    def _split_generators(self, dl_manager):
        folder = dl_manager.download_and_extract(self.URL)
        return {split: self._generate_examples(folder) for split in ("train", "test")}

    def _generate_examples(self, path):
        for file in sorted(path.glob("*.png")):
            yield file.name, {"image": str(file), "label": file.stem.split("-")[0]}


class ByHandOnly(HandPlaced):
    """One that asks a person to fetch it."""

    MANUAL_DOWNLOAD_INSTRUCTIONS = "Ask its\nauthors."

    def _split_generators(self, dl_manager):
        folder = dl_manager.extract(dl_manager.manual_dir / "hand_placed.zip")
        return {split: self._generate_examples(folder) for split in ("train", "test")}


def _archive(folder: Path) -> None:
    """What the builders above read, with its checksum registered."""
    folder.mkdir(parents=True)
    file = folder / "hand_placed.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for number, name in enumerate(CLASSES):
            stream = io.BytesIO()
            Image.new("RGB", (8, 6), (number, 0, 0)).save(stream, "PNG")
            archive.writestr(f"{name}-0.png", stream.getvalue())
    info = tfds.core.download.checksums.compute_url_info(file)
    HandPlaced.url_infos = {HandPlaced.URL: replace(info, filename=file.name)}


@pytest.mark.usefixtures("_no_internet")
@pytest.mark.parametrize("name", ["hand_placed", "by_hand_only"])
def test_archives_that_were_placed_by_hand_are_prepared_without_internet(tmp_path, name):
    _archive(tmp_path / "elsewhere")
    dataset = recipe(tmp_path, name=name)
    manual = tmp_path / "downloads" / "manual"
    with pytest.raises(MissingInput) as caught:
        loading.prepare(dataset)
    wanted = "Ask its authors." if name == "by_hand_only" else "hand_placed.zip"
    assert str(caught.value).endswith(f"or put its archives into {manual}: {wanted}")
    manual.parent.mkdir()
    (tmp_path / "elsewhere").rename(manual)
    loading.prepare(dataset)
    assert sorted(loading.load(dataset).train.labels) == list(range(len(CLASSES)))


def test_absent_data_is_not_fetched_by_loading(tmp_path):
    with pytest.raises(MissingInput, match=r"stanford_dogs 0\.2\.0 has not been downloaded"):
        loading.load(recipe(tmp_path, name="stanford_dogs"))


def test_default_folder_is_named(tmp_path, monkeypatch):
    # what tensorflow-datasets read from TFDS_DATA_DIR when it was imported
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
    with pytest.raises(MissingInput, match=f"looked in {tmp_path}/stanford_dogs/0.2.0"):
        loading.load(recipe(None, name="stanford_dogs"))
    with pytest.raises(ConfigError, match=f"under {tmp_path}, got 'nothing_like_it'"):
        loading.load(recipe(None, name="nothing_like_it"))


class _Site(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def generated() -> Iterator[list[str]]:
    """A data set with builder code whose homepage answers; yields what it was asked to generate."""
    generations: list[str] = []
    server = http.server.HTTPServer(("127.0.0.1", 0), _Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    class GeneratedPainted(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")
        name = "generated_painted"

        def _info(self) -> Any:
            features = {key: make() for key, make in FEATURES.items()}
            return tfds.core.DatasetInfo(
                builder=self,
                features=tfds.features.FeaturesDict(features),
                homepage=f"http://127.0.0.1:{server.server_port}/",
            )

        def _split_generators(self, dl_manager: Any) -> Any:
            return {split: self._generate_examples(split) for split in SIZES}

        def _generate_examples(self, split: str) -> Any:
            generations.append(split)
            yield from painted(split)

    registry = tfds.core.registered._DATASET_REGISTRY
    registry["generated_painted"] = GeneratedPainted
    yield generations
    del registry["generated_painted"]
    server.shutdown()
    server.server_close()


@pytest.mark.usefixtures("_no_internet")
def test_absent_data_is_prepared_once(tmp_path, generated):
    dataset = recipe(tmp_path, name="generated_painted")
    loading.prepare(dataset)
    loading.prepare(dataset)
    assert generated == ["train", "test"]
    assert len(loading.load(dataset).train) == 30


@pytest.mark.usefixtures("_no_internet")
def test_failed_download_is_reported(tmp_path, generated, monkeypatch):
    def broken(*_: object) -> None:
        raise OSError("disk full")

    builder = tfds.core.registered._DATASET_REGISTRY["generated_painted"]
    monkeypatch.setattr(builder, "_split_generators", broken)
    with pytest.raises(
        MissingInput, match=r"could not be downloaded.*OSError: disk full.*looked in"
    ):
        loading.prepare(recipe(tmp_path, name="generated_painted"))
