"""``sweeper evaluate`` on folders whose classes are the model's, fewer, and others."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from model_commands import sweeper
from PIL import Image
from saved.saved_models import NAMES, card, network, saved

from sweeper.data.sources.loading import load
from sweeper.errors import MissingInput
from sweeper.saved.classifier import SavedClassifier
from sweeper.saved.judging import judge, write


def photos(root: Path, *names: str, each: int = 5) -> Path:
    rng = np.random.default_rng(0)
    for name in names:
        (root / name).mkdir(parents=True)
        for number in range(each):
            pixels = rng.integers(0, 256, (20, 24, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root


def source(root: Path) -> object:
    from sweeper.config import Folder

    return load(
        Folder(
            source="folder",
            path=root,
            validation_fraction=0.2,
            test_fraction=0.0,
            split_seed=0,
            on_corrupt="error",
        )
    )


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> SavedClassifier:
    return SavedClassifier.load(saved(tmp_path_factory.mktemp("model") / "model.keras"))


def test_classes_are_told_apart_by_name(classifier: SavedClassifier, tmp_path: Path) -> None:
    found = source(photos(tmp_path / "photos", "zebra", "cat & dog", "ant"))
    judged = judge(classifier, found.train, found.class_names, 4)
    assert judged.unknown == {"zebra": 5}
    assert judged.absent == ("bee",)
    assert len(judged.truth) == 10
    folders = [one.split("/")[0] for one in judged.ids]
    assert folders == [NAMES[label] for label in judged.truth]
    images = [classifier.decoded((tmp_path / "photos" / one).read_bytes()) for one in judged.ids]
    expected = network()(np.array(images, np.float32))
    np.testing.assert_allclose(judged.probabilities, expected, atol=1e-6)


def test_what_is_written(classifier: SavedClassifier, tmp_path: Path) -> None:
    found = source(photos(tmp_path / "photos", *NAMES))
    judged = judge(classifier, found.train, found.class_names, 4)
    figures = write(judged, tmp_path / "out", {"model": "a", "data": "b"})
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [
        *("classes.csv", "confusion_matrix.png", "evaluation.json", "mistakes.png"),
        *("predictions.csv", "reliability.png"),
    ]
    content = json.loads((tmp_path / "out/evaluation.json").read_text())
    assert content["figures"]["accuracy"]["value"] == figures["accuracy"].value
    assert content["images"] == 15
    rows = list(csv.DictReader((tmp_path / "out/predictions.csv").read_text().splitlines()))
    right = sum(row["class"] == row["predicted"] for row in rows)
    assert right / len(rows) == pytest.approx(figures["accuracy"].value)
    classes = list(csv.DictReader((tmp_path / "out/classes.csv").read_text().splitlines()))
    assert [row["class"] for row in classes] == list(NAMES)


def test_mistakes_come_with_the_surest_first(classifier: SavedClassifier, tmp_path: Path) -> None:
    found = source(photos(tmp_path / "photos", *NAMES, each=12))
    judged = judge(classifier, found.train, found.class_names, 5)
    images, places = judged.mistakes
    said = judged.probabilities.argmax(axis=1)
    wrong = np.flatnonzero(said != judged.truth)
    sure = judged.probabilities.max(axis=1)
    assert list(places) == sorted(wrong, key=lambda place: (-sure[place], place))[:9]
    for image, place in zip(images, places, strict=True):
        file = tmp_path / "photos" / judged.ids[place]
        np.testing.assert_array_equal(image, classifier.decoded(file.read_bytes()))


def test_data_without_a_class_of_the_model_is_refused(
    classifier: SavedClassifier, tmp_path: Path
) -> None:
    found = source(photos(tmp_path / "photos", "x", "y"))
    with pytest.raises(MissingInput, match="the data has the classes 'x', 'y', the model 'ant'"):
        judge(classifier, found.train, found.class_names, 4)


@pytest.mark.more
@pytest.mark.slow
def test_the_command_judges_all_of_a_folder_without_a_test(tmp_path: Path) -> None:
    photos(tmp_path / "photos", *NAMES)
    saved(tmp_path / "mine.keras", of=card(recipe={"batch_size": 4}))
    data = ("dataset=folder", "dataset.path=photos")
    ended = sweeper(tmp_path, "evaluate", "mine.keras", "--out", "out", *data)
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert "mine.keras on all of photos: 15 images" in lines
    assert lines[-1] == "files: out"
    accuracy = json.loads((tmp_path / "out/evaluation.json").read_text())["figures"]["accuracy"]
    (shown,) = [line for line in lines if line.startswith("  accuracy")]
    assert f"{accuracy['value']:.4f}" in shown
    assert ended.stderr == ""
