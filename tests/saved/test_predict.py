"""``sweeper predict`` on real files of many kinds."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from data.pictures import folder
from model_commands import sweeper
from numpy.typing import NDArray
from PIL import Image
from saved.saved_models import NAMES, SIDE, network, saved
from sklearn.datasets import load_sample_image

from sweeper.data.batches import batches
from sweeper.data.sources.loading import load
from sweeper.saved.classifier import SavedClassifier, UnreadableImage
from sweeper.saved.stream import predictions

_ORIENTATION = 0x0112


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two classes of photographs, in files of many kinds."""
    root = tmp_path_factory.mktemp("photos")
    for name, picture in (("temple", "china.jpg"), ("flower", "flower.jpg")):
        (root / name).mkdir()
        image = Image.fromarray(load_sample_image(picture))
        image.save(root / name / "plain.png")
        turned = Image.Exif()
        turned[_ORIENTATION] = 6
        image.save(root / name / "turned.jpg", exif=turned)
        image.convert("L").save(root / name / "grey.png")
        image.convert("RGBA").save(root / name / "alpha.png")
        image.quantize(16).save(root / name / "palette.bmp")
        image.resize((40, 30)).save(root / name / "small.tiff")
    return root


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> SavedClassifier:
    return SavedClassifier.load(saved(tmp_path_factory.mktemp("model") / "model.keras"))


def as_validation_sees_them(photos: Path) -> tuple[list[str], NDArray[np.float32]]:
    """Names of the files and their images, as batches for validation have them."""
    source = load(folder(photos, test_fraction=0.0))
    plain = batches(source.train, SIDE, 100, target=lambda label: label, shuffle_seed=None)
    ((images, _),) = list(plain.dataset)
    return [source.train.name(int(place)) for place in source.train.indices], images.numpy()


def test_an_image_is_what_validation_saw(photos: Path, classifier: SavedClassifier) -> None:
    files, images = as_validation_sees_them(photos)
    assert len(files) == 12
    for file, image in zip(files, images, strict=True):
        np.testing.assert_array_equal(classifier.decoded(Path(file).read_bytes()), image, file)
    found = list(predictions(classifier, files, 5))
    assert [one.file for one in found] == files
    expected = network()(images)
    for one, row in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.probabilities, row, atol=1e-6)


def test_pixels_are_what_a_file_of_them_gives(photos: Path, classifier: SavedClassifier) -> None:
    for name in ("plain.png", "grey.png", "alpha.png"):
        path = photos / "temple" / name
        pixels = np.asarray(Image.open(path))
        np.testing.assert_array_equal(
            classifier.resized(pixels), classifier.decoded(path.read_bytes())
        )
    grey = np.asarray(Image.open(photos / "temple" / "grey.png"))
    np.testing.assert_array_equal(classifier.resized(grey[..., None]), classifier.resized(grey))


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((4, 4), np.float32), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4), np.uint8)],
)
def test_other_arrays_are_refused(pixels: NDArray[Any], classifier: SavedClassifier) -> None:
    with pytest.raises(UnreadableImage, match="an image is uint8"):
        classifier.resized(pixels)


@pytest.mark.more
@pytest.mark.slow
def test_the_command_names_what_it_cannot_read_and_predicts_the_rest(
    photos: Path, tmp_path: Path
) -> None:
    saved(tmp_path / "mine.keras")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff half")
    (tmp_path / "text.png").write_text("no image")
    more = f"nowhere.png\n{photos / 'flower' / 'plain.png'}\n"
    words = ("predict", "mine.keras", str(photos / "temple"), "broken.jpg", "text.png", "-")
    ended = sweeper(tmp_path, *words, "--json", "--top", "9", "--batch", "3", text=more)
    assert ended.returncode == 1, ended.stderr
    rows = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [Path(row["file"]).name for row in rows] == [
        *("alpha.png", "grey.png", "palette.bmp", "plain.png", "small.tiff", "turned.jpg"),
        "plain.png",
    ]
    for row in rows:
        assert {one["class"] for one in row["classes"]} == set(NAMES)
        probabilities = [one["probability"] for one in row["classes"]]
        assert probabilities == sorted(probabilities, reverse=True)
        assert sum(probabilities) == pytest.approx(1, abs=1e-6)
    broken, text, nowhere, total = ended.stderr.splitlines()
    assert broken.startswith("broken.jpg: a damaged jpeg image") or "jpeg" in broken.lower()
    assert text.startswith("text.png: it is no image that is known")
    assert nowhere == "nowhere.png: No such file or directory"
    assert total.startswith("7 images in ")
    assert total.endswith("; 3 could not be read")


@pytest.mark.slow
def test_a_table_has_a_row_for_each_image(photos: Path, tmp_path: Path) -> None:
    saved(tmp_path / "mine.keras")
    words = ("predict", "mine.keras", str(photos / "*" / "plain.png"), "--top", "2")
    ended = sweeper(tmp_path, *words, "--csv", "out/table.csv")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == ""
    rows = list(csv.DictReader((tmp_path / "out/table.csv").read_text().splitlines()))
    assert [Path(row["file"]).parent.name for row in rows] == ["flower", "temple"]
    assert list(rows[0]) == ["file", "class_1", "probability_1", "class_2", "probability_2"]
    for row in rows:
        assert float(row["probability_1"]) >= float(row["probability_2"]) > 0


def test_a_network_without_a_card_is_refused(tmp_path: Path) -> None:
    network().save(tmp_path / "theirs.keras")
    ended = sweeper(tmp_path, "predict", "theirs.keras", "a.png")
    assert ended.returncode == 1
    assert "does not say which classes it tells apart" in ended.stderr


def test_memory_does_not_grow_with_the_number_of_files(
    photos: Path, classifier: SavedClassifier
) -> None:
    """No more files are read ahead than a few batches need."""
    taken = 0

    def files() -> Any:
        nonlocal taken
        for _ in range(500):
            taken += 1
            yield str(photos / "temple" / "small.tiff")

    for number, _ in enumerate(predictions(classifier, files(), 4), 1):
        assert taken - number <= 4 * 4
    assert number == 500
    assert tf.executing_eagerly()
