"""``sweeper data``: the whole report of data with one fault of each kind, and what is refused."""

import csv
import json
import sys
from pathlib import Path
from typing import Any

import entry
import pytest
from doctored import of_folder, photos, texture
from PIL import Image
from recipes import recipe

from sweeper.config import Recipe
from sweeper.data_doctor.class_sizes import least_to_judge
from sweeper.data_doctor.data_summary import next_steps, summary
from sweeper.data_doctor.examination import examined, leaking_images
from sweeper.data_doctor.image_features import FROZEN
from sweeper.data_doctor.report_files import write_report
from sweeper.statistics.intervals import of_share
from sweeper.train.prebuild import prebuild


def report(chosen: Recipe, folder: Path) -> tuple[dict[str, Any], str, dict[str, int]]:
    """``data.json``, the screen, and how many images each work took."""
    work: dict[str, int] = {}
    with examined(chosen, lambda name, done, _total: work.update({name: done})) as found:
        table, files = write_report(found, chosen, folder)
    lines = [*summary(found, True), *next_steps(folder, files, table)]
    document = json.loads((folder / "data.json").read_text(encoding="utf-8"))
    assert document["duplicates"]["leaking_images"] == leaking_images(found)
    return document, "\n".join(text for _, text in lines), work


def faulty(folder: Path) -> Path:
    """``train/`` and ``test/`` with a copy, a smaller copy, a wrong label and odd files."""
    train, test = photos(folder / "train", each=12), folder / "test"
    for channel, name in enumerate(("ant", "bee", "猫")):
        (test / name).mkdir(parents=True)
        for number in range(50, 54):
            texture(number, channel).save(test / name / f"{number}.png")
    (test / "ant" / "same.jpg").write_bytes((train / "ant" / "03.jpg").read_bytes())
    small = Image.open(train / "bee" / "04.jpg").resize((45, 34))
    small.save(test / "bee" / "small.jpg", quality=70)
    texture(60, 2).save(train / "猫" / "pixels.png")
    Image.open(train / "猫" / "pixels.png").save(train / "ant" / "pixels.bmp")
    (train / "ant" / "broken.jpg").write_bytes((train / "ant" / "07.jpg").read_bytes()[:400])
    (train / "ant" / "note.txt").write_text("no image")
    texture(70, 0).convert("L").save(train / "ant" / "grey.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    texture(71, 0).save(train / "ant" / "turned.jpg", exif=turned)
    texture(72, 0, (90, 30)).save(train / "ant" / "long.png")
    return folder


def test_each_fault_is_in_the_report(tmp_path: Path) -> None:
    document, screen, _ = report(of_folder(faulty(tmp_path / "data")), tmp_path / "out")
    pairs = {frozenset(one["images"]): one for one in document["duplicates"]["pairs"]}
    same = pairs[frozenset(["train/ant/03.jpg", "test/ant/same.jpg"])]
    near = pairs[frozenset(["train/bee/04.jpg", "test/bee/small.jpg"])]
    pixels = pairs[frozenset(["train/猫/pixels.png", "train/ant/pixels.bmp"])]
    assert [one["kind"] for one in (same, near, pixels)] == ["same bytes", "near", "same pixels"]
    assert len(pairs) == 3
    assert same["across"].endswith("and test")
    assert document["duplicates"]["leaking_images"]["test"] == 2
    assert document["duplicates"]["conflicting_labels"] == 1
    assert "LEAK: 2 of 14 test images" in screen
    assert "1 pair has two labels" in screen
    assert [one["image"].rpartition("/")[2] for one in document["left_out"]] == ["broken.jpg"]
    assert any("note" in one or ".txt" in one for one in document["notes"])
    files = document["files"]
    assert files["orientations"] == {"6": 1}
    assert files["channels"]["grey"] == 1
    assert (files["long"], files["small"]) == (1, 1)
    assert files["formats"]["jpeg"] == 36 + 3
    assert files["width"] == {"least": 45, "median": 64, "most": 90}
    sizes = {one["name"]: one for one in document["classes"]}
    assert sizes["ant"]["train"] + sizes["ant"]["validation"] == 12 + 4
    assert sizes["猫"]["test"] == 4
    assert document["too_small_to_judge"]["classes"] == ["ant", "bee", "猫"]
    with Image.open(tmp_path / "out" / "duplicates.png") as sheet:
        assert sheet.size[0] > 900
    with (tmp_path / "out" / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["image"]: row for row in csv.DictReader(file)}
    assert len(rows) == document["images"] == 36 + 5 + 14
    issue = rows["test/bee/small.jpg"]["issue"]
    assert "nearly the same picture as train/bee/04.jpg" in issue
    assert all(row["label"] == image.split("/")[1] for image, row in rows.items())


@pytest.mark.more
def test_what_a_sweep_has_computed_is_not_computed_again(tmp_path: Path) -> None:
    chosen = recipe("image_size=32", "dataset.fraction=0.1", "augment=none")
    frozen = chosen.phases.model_copy(update={"unfrozen": None})
    prebuild([chosen.model_copy(update={"phases": frozen})])
    document, _, work = report(chosen, tmp_path / "out")
    tested = sum(one["test"] for one in document["classes"])
    assert work[FROZEN] == tested < document["images"]


@pytest.mark.more
def test_without_a_cache_all_is_found_too(tmp_path: Path) -> None:
    words = ("image_size=32", "dataset.fraction=0.05")
    kept, _, _ = report(recipe(*words), tmp_path / "kept")
    without, _, _ = report(recipe(*words, "cache.budget_gb=0", "cache.views=0"), tmp_path / "none")
    assert kept["duplicates"]["pairs"] == without["duplicates"]["pairs"]
    accuracies = [one["labels"]["heads_accuracy"] for one in (kept, without)]
    assert accuracies[0] == pytest.approx(accuracies[1], abs=0.03)


@pytest.mark.more
@pytest.mark.parametrize("each", [1, 2, 3])
@pytest.mark.parametrize("validation", ["auto", "kfold", "split", "given", "test"])
def test_few_images_are_reported_as_far_as_they_go(
    each: int, validation: str, tmp_path: Path
) -> None:
    folder = photos(tmp_path / "photos", classes=2, each=each)
    document, screen, _ = report(of_folder(folder, f"validation={validation}"), tmp_path / "out")
    assert document["images"] == 2 * each
    assert "cannot be judged" in screen
    assert bool(document["cannot_be_split"]) == ("cannot be split" in screen)
    assert each > 1 or document["cannot_be_split"]


@pytest.mark.more
def test_copies_across_folds_leak(tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos", each=10)
    for number in range(6):
        copy = folder / "ant" / f"copy{number}.jpg"
        copy.write_bytes((folder / "ant" / f"{number:02d}.jpg").read_bytes())
    words = ["validation=kfold", "validation.folds=5", "dataset.test_fraction=0"]
    document, screen, _ = report(of_folder(folder, *words), tmp_path / "out")
    assert 0 < document["duplicates"]["leaking_images"]["folds"] <= 12
    assert "copy in another fold" in screen
    assert document["too_small_to_judge"]["images"] == "train"


def test_the_least_number_of_images_is_where_the_interval_is_narrow_enough() -> None:
    def width(images: int) -> float:
        low, high = of_share(images // 2, images)
        return high - low

    least = least_to_judge()
    assert width(least) <= 0.4 < width(least - 1)
    assert all(width(images) > 0.4 for images in range(2, least))


@pytest.mark.parametrize(
    ("arguments", "sentences"),
    [
        (["dataset=folder", "dataset.path=nowhere"], ["there is no folder"]),
        (
            ["dataset=csv", "dataset.path=nowhere", "image_size=1", "backbone.weights=none.h5"],
            ["there is no file", "image_size must be >= 32", "backbone.weights=none.h5"],
        ),
        (["+experiment=digits_lite0", "--out", "here/file/out"], ["--out:"]),
        (["+experiment=digits_lite0", "-m"], ["takes one recipe"]),
        ([], ["Missing argument 'OVERRIDES...'"]),
    ],
    ids=["folder", "all at once", "out", "search", "nothing"],
)
def test_what_is_wrong_is_said_at_once(
    arguments: list[str], sentences: list[str], tmp_path: Path
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "file").touch()
    ended = entry.run(tmp_path, "data", *arguments)
    assert ended.code == 2
    assert all(sentence in ended.screen for sentence in sentences), ended.screen
    assert ended.left == ()


@pytest.mark.more
def test_the_command_writes_below_data_reports(cli: Any, tmp_path: Path) -> None:
    words = ["image_size=32", "dataset.fraction=0.05"]
    ended = cli("data", *words)
    assert ended.returncode == 0, ended.stderr
    made = {path.name for path in (tmp_path / "data_reports" / "digits").iterdir()}
    assert {"data.json", "labels.csv"} <= made
    assert "cannot be read as data" in ended.stdout
    assert len(ended.stdout.splitlines()) < 40
    assert sys.executable not in ended.stdout


@pytest.mark.more
def test_two_reports_of_the_same_data_are_the_same(tmp_path: Path) -> None:
    chosen = recipe("image_size=32", "dataset.fraction=0.05")
    first, _, _ = report(chosen, tmp_path / "first")
    second, _, _ = report(chosen, tmp_path / "second")
    assert first == second
    tables = [(tmp_path / name / "labels.csv").read_bytes() for name in ("first", "second")]
    assert tables[0] == tables[1]
