"""A folder of exports has the files of one model, and nothing that was not exported is lost."""

import importlib.machinery
import importlib.util
from collections.abc import Sequence
from pathlib import Path

import pytest
from saved.saved_models import card

from sweeper.errors import MissingInput, SweeperError
from sweeper.export.exported_folder import RECORD, ExportedFolder
from sweeper.export.file_check import Checked
from sweeper.export.file_formats import FORMATS, require_packages

CHECKED = Checked(12, 1e-6, "temple/3.jpg", 0, 1.5, 2.5)


def model(tmp_path: Path, name: str) -> Path:
    path = tmp_path / f"{name}.keras"
    path.write_text(name)
    return path


def add(folder: Path, network: Path, formats: Sequence[str]) -> ExportedFolder:
    """Files of ``network`` in ``folder``, each with the name of the network in it."""
    folder.mkdir(exist_ok=True)
    place = ExportedFolder(folder, network, formats)
    for name in formats:
        aside = folder / f".aside.{FORMATS[name].file}"
        if name == "savedmodel":
            aside.mkdir()
            (aside / "saved_model.pb").write_text(network.stem)
        else:
            aside.write_text(network.stem)
        place.add(name, aside, CHECKED, network.stem, card())
    return place


def listed(folder: Path) -> list[str]:
    """Formats that the page shows."""
    page = (folder / "README.md").read_text()
    return [name for name, one in FORMATS.items() if f"| [{one.file}]" in page]


def test_a_format_more_of_the_same_model_joins_the_page(tmp_path: Path) -> None:
    network, folder = model(tmp_path, "one"), tmp_path / "out"
    add(folder, network, ["onnx", "savedmodel"])
    assert listed(folder) == ["savedmodel", "onnx"]
    again = add(folder, network, ["keras", "savedmodel"])
    assert listed(folder) == ["keras", "savedmodel", "onnx"]
    assert not again.of_another
    assert "With model.onnx:" in (folder / "README.md").read_text()


def test_files_of_another_model_go_with_the_first_of_the_new_one(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    add(folder, model(tmp_path, "old"), ["onnx", "savedmodel", "tflite"])
    (folder / "notes.txt").write_text("mine")
    new = model(tmp_path, "new")
    place = ExportedFolder(folder, new, ["onnx"])
    assert place.of_another == ["savedmodel", "model.tflite", "model.onnx"]
    assert (folder / "savedmodel").exists()
    add(folder, new, ["onnx"])
    assert listed(folder) == ["onnx"]
    assert (folder / "model.onnx").read_text() == "new"
    names = {path.name for path in folder.iterdir()}
    assert names == {"model.onnx", "labels.txt", "README.md", RECORD, "notes.txt"}


def test_a_file_that_a_person_removed_is_not_on_the_page(tmp_path: Path) -> None:
    network, folder = model(tmp_path, "one"), tmp_path / "out"
    add(folder, network, ["onnx", "tflite"])
    (folder / "model.onnx").unlink()
    add(folder, network, ["keras"])
    assert listed(folder) == ["keras", "tflite"]


@pytest.mark.parametrize("name", ["README.md", "labels.txt", "model.keras", "savedmodel"])
def test_what_no_export_wrote_is_not_replaced(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / name).write_text("mine")
    formats = ["keras", "savedmodel"]
    with pytest.raises(SweeperError, match=f"has {name}, which no export wrote.*--out"):
        ExportedFolder(folder, model(tmp_path, "one"), formats)


def test_a_file_that_no_export_wrote_beside_a_record_is_not_replaced(tmp_path: Path) -> None:
    network, folder = model(tmp_path, "one"), tmp_path / "out"
    add(folder, network, ["onnx"])
    (folder / "model.tflite").write_text("mine")
    with pytest.raises(SweeperError, match=r"has model\.tflite, which no export wrote"):
        ExportedFolder(folder, network, ["onnx", "tflite"])


def test_other_files_of_a_person_are_no_hindrance(tmp_path: Path) -> None:
    network, folder = model(tmp_path, "one"), tmp_path / "out"
    folder.mkdir()
    (folder / "model.onnx").write_text("mine")
    add(folder, network, ["keras"])
    assert (folder / "model.onnx").read_text() == "mine"


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"formats": {"onnx": 3}}'])
def test_a_record_that_cannot_be_read_is_named(tmp_path: Path, content: str) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / RECORD).write_text(content)
    with pytest.raises(SweeperError, match=rf"out/{RECORD} is no record of an export: .*--out"):
        ExportedFolder(folder, model(tmp_path, "one"), ["onnx"])


def test_missing_packages_are_named_together(monkeypatch: pytest.MonkeyPatch) -> None:
    find, absent = importlib.util.find_spec, {"tf2onnx", "ai_edge_litert"}

    def found(name: str) -> importlib.machinery.ModuleSpec | None:
        return None if name in absent else find(name)

    monkeypatch.setattr("sweeper.export.file_formats.find_spec", found)
    require_packages(["keras", "savedmodel"])
    with pytest.raises(MissingInput) as raised:
        require_packages(["keras", "tflite-int8", "onnx"])
    text = "onnx, tflite-int8 cannot be written without ai_edge_litert, tf2onnx: in the checkout"
    assert text in str(raised.value)
