"""The pictures of the worst mistakes are of the images that the predictions say."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from recipes import recipe

from sweeper.config import Recipe
from sweeper.data.sources.loading import load
from sweeper.errors import SweeperError
from sweeper.records import Owner
from sweeper.report.mistakes import read_mistakes
from sweeper.report_material.worst_mistakes import save_worst_mistakes
from sweeper.study_files.predictions import Predictions, halved, save
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.train.building import build_classifier_for
from sweeper.train.folds import splits_of
from sweeper.train.trained_weights import save_trained_weights
from sweeper.train.winning_model import keep

CERTAIN = {3: 9.0, 7: 2.0, 11: 5.0}
"""Rows of the validation images that are taken for the next class, and by how much."""


@pytest.fixture
def trial(tmp_path: Path) -> TrialPaths:
    return TrialPaths(tmp_path / "0000")


def tiny(*overrides: str) -> Recipe:
    return recipe(
        "backbone=efficientnet_lite0", "image_size=32", "dataset.fraction=0.2", *overrides
    )


def predict(made: Recipe, trial: TrialPaths) -> Predictions:
    """Predictions that are right but for ``CERTAIN``, of every fold."""
    source = load(made.dataset)
    parts = [held_out for _, held_out in splits_of(source, made)]
    truth = np.concatenate([part.labels for part in parts])
    logits = np.zeros((len(truth), 10))
    logits[np.arange(len(truth)), truth] = 4
    for row, by in CERTAIN.items():
        logits[row, truth[row]] = 0
        logits[row, (truth[row] + 1) % 10] = by
    odds = np.exp(logits)
    found = Predictions(
        np.array([part.identify(int(at)) for part in parts for at in part.indices]),
        truth,
        np.repeat(np.arange(len(parts)), [len(part) for part in parts]),
        halved(odds / odds.sum(axis=1, keepdims=True)),
        halved(logits),
        np.array(source.class_names),
    )
    save(trial.predictions, found)
    return found


@pytest.mark.parametrize("validation", ["split", "kfold"])
def test_the_worst_come_first_as_the_network_saw_them(
    trial: TrialPaths, tmp_path: Path, validation: str
) -> None:
    made = tiny(f"validation={validation}")
    found = predict(made, trial)
    save_worst_mistakes(made, trial, "id", 0, tmp_path / "report")
    known = read_mistakes(tmp_path / "report")
    assert known is not None
    assert (known.study, known.trial) == ("id", 0)
    rows = [3, 11, 7]
    assert [item.image for item in known.items] == [str(found.ids[row]) for row in rows]
    assert [item.true for item in known.items] == [str(found.labels[row]) for row in rows]
    assert [item.heat for item in known.items] == ["", "", ""], "there is no model"
    # digits of scikit-learn are named by their place
    from sklearn.datasets import load_digits

    images = load_digits().images
    for item in known.items:
        with Image.open(tmp_path / "report" / item.picture) as picture:
            shown = np.asarray(picture.convert("L").resize((8, 8)))
        original = images[int(item.image)] * 255 / 16
        assert np.corrcoef(shown.ravel(), original.ravel())[0, 1] > 0.95


def test_a_model_shows_where_it_looked(trial: TrialPaths, tmp_path: Path) -> None:
    made = tiny("image_size=64", "freeze.unfreeze_blocks=0", "phases.unfrozen=null")
    predict(made, trial)
    split_model = build_classifier_for(made, 10).split_model(None).thaw()
    learned = [variable.numpy() for variable in split_model.learned]
    save_trained_weights(trial.learned, learned, made, Owner("0", "id"))
    keep(made, trial, Owner("0", "id"))
    save_worst_mistakes(made, trial, "id", 0, tmp_path / "report")
    known = read_mistakes(tmp_path / "report")
    assert known is not None
    hot = [item for item in known.items if item.heat]
    assert hot
    for item in hot:
        files = [tmp_path / "report" / name for name in (item.heat, item.picture)]
        assert _size(files[0]) == _size(files[1])


def _size(file: Path) -> tuple[int, int]:
    with Image.open(file) as image:
        return image.size


def test_images_that_the_data_lost_are_left_out_and_old_pictures_go(
    trial: TrialPaths, tmp_path: Path
) -> None:
    made = tiny()
    found = predict(made, trial)
    found.ids[3] = "another"
    save(trial.predictions, found)
    old = tmp_path / "report" / "mistake09.png"
    old.parent.mkdir()
    old.touch()
    save_worst_mistakes(made, trial, "id", 0, old.parent)
    known = read_mistakes(old.parent)
    assert known is not None
    assert [item.image for item in known.items] == [str(found.ids[row]) for row in (11, 7)]
    assert not old.exists()


def test_damaged_predictions_are_named(trial: TrialPaths, tmp_path: Path) -> None:
    made = tiny()
    predict(made, trial)
    trial.predictions.write_bytes(trial.predictions.read_bytes()[:100])
    with pytest.raises(SweeperError, match=r"predictions.npz is damaged; restore that file"):
        save_worst_mistakes(made, trial, "id", 4, tmp_path / "report")


def test_no_predictions_and_no_mistakes(trial: TrialPaths, tmp_path: Path) -> None:
    save_worst_mistakes(tiny(), trial, "id", 4, tmp_path / "report")
    known = read_mistakes(tmp_path / "report")
    assert known is not None
    assert known.items == []
    (tmp_path / "report" / "mistakes.json").write_text("{")
    assert read_mistakes(tmp_path / "report") is None
