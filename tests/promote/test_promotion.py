"""Who becomes champion, on a folder of coloured pictures and a real store."""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from mlflow import MlflowClient
from PIL import Image
from recipes import composed
from saved.saved_models import NAMES, SIDE, card, saved

from sweeper.errors import MissingInput, SweeperError
from sweeper.promote.evaluations import log_evaluation
from sweeper.promote.promotion import Promotion
from sweeper.saved.classifier import SavedClassifier
from sweeper.saved.mlflow_models import download
from sweeper.saved.reference import Found
from sweeper.statistics.intervals import Figure
from sweeper.validation import parse

EACH = 20
COLOURS = dict(zip(sorted(NAMES), ("red", "green", "blue"), strict=True))


def coloured(wrong: float = 0.0) -> keras.Model:
    """Names the colour of an image; a share of them, the darkest ones, it takes for red."""
    images = keras.Input((SIDE, SIDE, 3), dtype="float32", name="image")
    x = keras.layers.GlobalAveragePooling2D()(images)
    outputs = keras.layers.Dense(3, activation="softmax")(x)
    model = keras.Model(images, outputs, name="classifier")
    # a colour is as bright as 56 to 246, in equal steps
    model.set_weights([np.eye(3), np.array([56 + 190 * wrong - 1, 0, 0])])
    return model


@dataclass
class Place:
    """A working directory with pictures, models and a store."""

    folder: Path
    uri: str
    said: list[str] = field(default_factory=list)

    def model(self, name: str, wrong: float = 0.0, *overrides: str, **changes: Any) -> Found:
        words = ("dataset=folder", f"dataset.path={self.folder}/photos", "name=colours")
        recipe = parse(composed(*words, "dataset.test_fraction=0.5", *overrides))
        plain = recipe.model_dump(mode="json", exclude_unset=True)
        of = card(class_names=tuple(sorted(NAMES)), recipe=plain, data="one")
        file = saved(self.folder / f"{name}.keras", coloured(wrong), replace(of, **changes))
        return Found(file, name)

    def promote(self, found: Found, force: bool = False) -> bool:
        return Promotion(self.uri, None, "champion", force, self.said.append).run(found)

    @property
    def champion(self) -> str:
        client = MlflowClient(self.uri)
        return str(client.get_model_version_by_alias("colours", "champion").version)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("colours")
    for channel, name in enumerate(sorted(NAMES)):
        (root / "photos" / name).mkdir(parents=True)
        for number in range(EACH):
            pixels = np.zeros((20, 24, 3), np.uint8)
            pixels[:, :, channel] = 56 + 10 * number
            Image.fromarray(pixels).save(root / "photos" / name / f"{number}.png")
    return root


@pytest.fixture
def place(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").symlink_to(photos / "photos")
    return Place(tmp_path, f"sqlite:///{tmp_path}/mlflow.db")


def test_the_first_is_champion_and_a_worse_one_is_refused_unless_forced(place: Place) -> None:
    good, poor = place.model("good"), place.model("poor", 0.6)
    assert place.promote(good)
    assert place.champion == "1"
    assert place.promote(good)
    assert "already, version 1" in place.said[-1]
    assert not place.promote(poor)
    assert place.champion == "1"
    assert re.search(r"accuracy +0\.[5-8]\d+ against 1\.0000", "".join(place.said)), place.said
    assert place.promote(poor, force=True)
    assert place.champion == "2"
    client = MlflowClient(place.uri)
    tags = client.get_model_version("colours", "2").tags
    assert tags["sweeper.promoted_over"] == "1"
    assert float(tags["sweeper.p_value"]) == 1.0
    assert place.promote(good)  # and it is the version that it was
    assert place.champion == "1"
    assert "against" in place.said[-4] + place.said[-3]


def test_what_may_be_chance_is_refused(place: Place) -> None:
    assert place.promote(place.model("first", 0.1))
    assert not place.promote(place.model("second", 0.0))
    assert "not better beyond chance" in place.said[-1]
    assert place.champion == "1"


def test_classes_of_another_champion_are_named(place: Place) -> None:
    assert place.promote(place.model("first"))
    other = place.model("other", class_names=("ant", "bee", "dragon"))
    with pytest.raises(SweeperError, match=r"challenger alone: dragon; champion alone: cat & dog"):
        place.promote(other)
    assert place.champion == "1"
    assert place.promote(other, force=True)
    assert "not compared" in "".join(place.said)


def test_without_test_images_nothing_is_compared(place: Place) -> None:
    first = place.model("first", 0.0, "dataset.test_fraction=0")
    assert place.promote(first)  # there is no champion to compare it with
    second = place.model("second", 0.2, "dataset.test_fraction=0")
    with pytest.raises(SweeperError, match=r"no test images .* --force"):
        place.promote(second)
    assert place.champion == "1"


def test_without_its_data_set_nothing_is_promoted_and_no_store_made(place: Place) -> None:
    found = place.model("first")
    (place.folder / "photos").unlink()
    with pytest.raises(MissingInput, match="photos"):
        place.promote(found)
    assert not (place.folder / "mlflow.db").exists()


def test_a_champion_of_other_data_is_mentioned(place: Place) -> None:
    assert place.promote(place.model("first", 0.6, data="another"))
    assert place.promote(place.model("second"))
    assert "was trained on other data" in "".join(place.said)


def test_a_store_that_is_away_changes_nothing(place: Place) -> None:
    good = place.model("good")
    away = replace_uri(place, "http://127.0.0.1:9")
    with pytest.raises(SweeperError):
        away.promote(good)
    assert place.promote(good)
    assert place.champion == "1"


@pytest.mark.more
def test_another_store_gets_the_model_too(place: Place) -> None:
    good = place.model("good")
    assert place.promote(good)
    other = replace_uri(place, f"sqlite:///{place.folder}/other.db")
    assert other.promote(good)
    assert other.champion == "1"
    client = MlflowClient(other.uri)
    run = client.get_model_version("colours", "1").run_id
    assert client.get_run(run).data.params["backbone.name"] == "EfficientNetLite0"
    assert place.promote(place.model("poor", 0.6), force=True)
    assert place.promote(good)
    assert place.champion == "1"


def test_an_evaluation_is_logged_where_the_data_of_the_model_is_not(place: Place) -> None:
    good = place.model("good")
    assert place.promote(good)
    (place.folder / "photos").unlink()
    network, model_id = download("models:/colours@champion", place.uri)
    found = Found(network, "models:/colours@champion", model_id=model_id)
    (place.folder / "judged").mkdir()
    (place.folder / "judged" / "evaluation.json").write_text("{}")
    classifier = SavedClassifier.load(network)
    figures = {"accuracy": Figure(0.25)}
    run_id = log_evaluation(
        found, classifier, figures, place.folder / "judged", place.uri, place.said.append
    )
    client = MlflowClient(place.uri)
    assert client.get_run(run_id).data.metrics["evaluate_accuracy"] == 0.25
    (logged,) = client.list_artifacts(run_id, "evaluations/judged")
    assert logged.path.endswith("evaluation.json")


def replace_uri(place: Place, uri: str) -> Place:
    return Place(place.folder, uri, place.said)
