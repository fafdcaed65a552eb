"""Each format, written, run as a stranger runs it, and refused where it is another model."""

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import pytest
from patience import PATIENCE
from PIL import Image
from saved.saved_models import NAMES, SIDE, card, network, saved
from sklearn.datasets import load_sample_image

from sweeper.errors import SweeperError
from sweeper.export.exported_folder import ExportedFolder
from sweeper.export.exporting import Pictures, export
from sweeper.export.file_check import Checked, check
from sweeper.export.file_formats import FORMATS
from sweeper.export.float32 import in_float32, is_half
from sweeper.saved.classifier import SavedClassifier

COUNT = 12


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> SavedClassifier:
    of = card(test={"test_accuracy": 0.75})
    return SavedClassifier.load(saved(tmp_path_factory.mktemp("model") / "model.keras", of=of))


def pictures() -> Pictures:
    photograph = load_sample_image("china.jpg").astype(np.float32)
    crops = [photograph[20 * k : 20 * k + SIDE, 30 * k : 30 * k + SIDE] for k in range(2 * COUNT)]
    images = np.stack([crop for crop in crops if crop.shape == (SIDE, SIDE, 3)])
    ids = [f"temple/{number}.jpg" for number in range(COUNT)]
    return Pictures(images[:COUNT], ids, images[COUNT:])


def written(
    classifier: SavedClassifier, folder: Path, formats: Sequence[str]
) -> Mapping[str, Checked]:
    """What each of ``formats`` gives, exported to ``folder``."""
    found: dict[str, Checked] = {}
    place = ExportedFolder(folder, classifier.file, formats)
    export(classifier, "the winner", formats, place, pictures(), found.__setitem__)
    return found


@pytest.fixture(scope="module")
def exported(
    classifier: SavedClassifier, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Mapping[str, Checked]]:
    folder = tmp_path_factory.mktemp("exported") / "new"
    found = written(classifier, folder, list(FORMATS))
    assert list(found) == list(FORMATS)
    return folder, found


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_gives_what_the_original_gives(
    exported: tuple[Path, Mapping[str, Checked]], classifier: SavedClassifier, name: str
) -> None:
    folder, found = exported
    checked = found[name]
    assert checked.images == COUNT
    assert checked.largest <= FORMATS[name].bound
    assert checked.megabytes > 0
    assert checked.milliseconds > 0
    run, images = FORMATS[name].open_file(folder / FORMATS[name].file), pictures().validation
    original = classifier.probabilities(images)
    given = np.concatenate([run(image[np.newaxis]) for image in images])
    np.testing.assert_allclose(given, original, atol=checked.largest + 1e-6)
    if not name.startswith("tflite-"):
        assert checked.changed == 0


def test_rounded_weights_make_smaller_files(exported: tuple[Path, Mapping[str, Checked]]) -> None:
    folder, _ = exported
    sizes = [(folder / FORMATS[name].file).stat().st_size for name in FORMATS if "tflite" in name]
    assert sizes[0] > sizes[1] > 0
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.more] * (name != "onnx")) for name in FORMATS],
)
def test_the_page_shows_a_stranger_how_to_feed_it(
    exported: tuple[Path, Mapping[str, Checked]],
    classifier: SavedClassifier,
    tmp_path: Path,
    name: str,
) -> None:
    """The lines of README.md run where sweeper cannot be imported, on a picture that lies."""
    folder, _ = exported
    page = (folder / "README.md").read_text()
    blocks = page.split("```python\n")[1:]
    codes = [block.split("```")[0] for block in blocks]
    (loading,) = [code for code in codes[1:-1] if f'"{FORMATS[name].file}"' in code]
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = Image.fromarray(load_sample_image("flower.jpg"))
    photo.save(folder / "photo.jpg", exif=exif, quality=95)
    guard = "import sys\nsys.modules['sweeper'] = None\n"
    program = tmp_path / "program.py"
    program.write_text("\n".join([guard, codes[0], loading, codes[-1]]))
    ended = subprocess.run(
        [sys.executable, program],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    *words, probability = ended.stdout.splitlines()[-1].split()
    ours = classifier.probabilities([classifier.decoded((folder / "photo.jpg").read_bytes())])[0]
    assert " ".join(words) == NAMES[int(ours.argmax())]
    # Pillow and TensorFlow resize a little differently
    assert float(probability) == pytest.approx(ours.max(), abs=FORMATS[name].bound + 0.05)


def test_another_model_is_refused_with_the_image_and_what_was_there_stays(
    classifier: SavedClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(classifier, tmp_path, ["keras", "onnx"])
    before = (tmp_path / "model.onnx").read_bytes()
    wrong = SavedClassifier.load(saved(tmp_path / "other" / "model.keras"))
    weights = [weight + 0.05 for weight in wrong.network.get_weights()]
    wrong.network.set_weights(weights)
    wrong.probabilities(pictures().validation)  # Keras exports what was called
    onnx = FORMATS["onnx"]

    class Wrong(type(onnx)):  # type: ignore[misc]
        def write(self, _classifier: object, *arguments: object) -> None:
            onnx.write(wrong, *arguments)

    broken = Wrong(onnx.file, onnx.what, onnx.bound, onnx.module, onnx.example)
    monkeypatch.setitem(FORMATS, "onnx", broken)  # type: ignore[arg-type]
    with pytest.raises(SweeperError, match=r"model\.onnx is not the model: for image temple/\d+"):
        written(classifier, tmp_path, ["onnx"])
    assert (tmp_path / "model.onnx").read_bytes() == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_what_is_not_finite_differs_without_bound(tmp_path: Path) -> None:
    images = pictures()
    (tmp_path / "file").write_bytes(b"1234")
    original = np.full((COUNT, 2), 0.5, np.float32)

    def run(_image: object) -> object:
        return np.array([[np.nan, 0.5]], np.float32)

    found = check(run, tmp_path / "file", images.validation, images.ids, original)
    assert found.largest == np.inf


def test_each_format_has_its_module_and_a_file_of_its_own() -> None:
    assert len({one.file for one in FORMATS.values()}) == len(FORMATS)
    for one in FORMATS.values():
        assert "{file}" in one.example


@pytest.mark.more
@pytest.mark.parametrize(
    "policy", ["mixed_bfloat16", pytest.param("mixed_float16", marks=pytest.mark.more)]
)
def test_a_network_in_half_precision_is_exported_in_float32(tmp_path: Path, policy: str) -> None:
    keras.mixed_precision.set_global_policy(policy)
    try:
        half = network()
    finally:
        keras.mixed_precision.set_global_policy("float32")
    classifier = SavedClassifier.load(saved(tmp_path / "half.keras", half))
    assert is_half(classifier.network)
    found = written(classifier, tmp_path / "out", list(FORMATS))
    for name in ("tflite", "onnx"):
        assert 0 < found[name].largest < 0.05
    assert not is_half(in_float32(classifier.network))


def test_the_documentation_has_each_format_with_its_bound() -> None:
    page = Path(__file__).parents[2] / "docs" / "winner.md"
    rows = re.findall(r"^\| `([\w-]+)` \| .* \| ([\d.]+) \|$", page.read_text(), re.MULTILINE)
    assert {name: float(bound) for name, bound in rows} == {
        name: one.bound for name, one in FORMATS.items()
    }
