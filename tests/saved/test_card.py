"""The card in a classifier's file."""

import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from saved.saved_models import SIDE, card, network, saved

from sweeper.errors import SweeperError
from sweeper.saved.card import read_card, write_card
from sweeper.saved.classifier import SavedClassifier


def test_a_card_is_read_as_it_was_written_and_keras_reads_the_network(tmp_path: Path) -> None:
    model = network()
    own = card(
        recipe={"name": "a", "head": {"hidden": None}},
        validation={"model_val_accuracy": 0.5},
        test={"test_accuracy": 0.25, "test_images": 8.0},
        origin={"run": "3", "study": "s"},
    )
    path = saved(tmp_path / "model.keras", model, own)
    assert read_card(path) == own
    images = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3)).astype(np.float32)
    loaded = keras.saving.load_model(path, safe_mode=True)
    np.testing.assert_array_equal(loaded(images), model(images))


def test_another_card_replaces_the_one_that_is_there(tmp_path: Path) -> None:
    path = saved(tmp_path / "model.keras")
    write_card(path, card(image_size=99), path)
    assert read_card(path).image_size == 99
    with zipfile.ZipFile(path) as file:
        names = file.namelist()
    assert len(names) == len(set(names))


def test_a_network_of_somebody_else_has_none(tmp_path: Path) -> None:
    network().save(tmp_path / "theirs.keras")
    with pytest.raises(SweeperError, match="does not say which classes"):
        read_card(tmp_path / "theirs.keras")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SweeperError, match=r"none\.keras cannot be loaded: .*No such file"):
        read_card(tmp_path / "none.keras")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half", b"\x89HDF"])
def test_what_is_no_file_of_keras_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(content)
    with pytest.raises(SweeperError, match=r"model\.keras cannot be loaded"):
        read_card(path)


def test_a_card_of_a_later_version_is_not_guessed_at(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("sweeper.json", '{"format": 2}')
    with pytest.raises(SweeperError, match="later version"):
        read_card(path)


@pytest.mark.filterwarnings("ignore:Skipping invalid path")
def test_members_of_an_archive_do_not_lead_out_of_it(tmp_path: Path) -> None:
    path = saved(tmp_path / "deep" / "model.keras")
    names = ["../x", "../../x", "assets/../../../x", str(tmp_path / "x")]
    with zipfile.ZipFile(path, "a") as archive:
        for name in names:
            archive.writestr(name, "not here")
    assert read_card(path).class_names == card().class_names
    SavedClassifier.load(path)
    write_card(path, card(), tmp_path / "deep" / "copy.keras")
    files = {str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*")}
    assert files == {"deep", "deep/model.keras", "deep/copy.keras"}
    assert not (tmp_path.parent / "x").exists()
