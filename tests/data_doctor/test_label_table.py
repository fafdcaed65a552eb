"""``labels.csv`` holds every image, and ``dataset=csv`` reads from it what was there."""

import csv
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from doctored import collected, of_folder, photos, texture
from hypothesis import given, settings
from hypothesis import strategies as st
from recipes import recipe

from sweeper.config import Recipe
from sweeper.data_doctor.collection import Collection
from sweeper.data_doctor.copies import NEAR, Copies, Pair
from sweeper.data_doctor.label_issues import LabelIssues
from sweeper.data_doctor.label_table import HEADER, LabelTable, label_table


def nothing_found(collection: Collection) -> tuple[Copies, LabelIssues]:
    count = len(collection)
    none = np.zeros(count, np.bool_)
    issues = LabelIssues(
        np.zeros(0, np.int64), np.zeros(count, np.float32), collection.labels, none, none, (), None
    )
    return Copies((), np.arange(count), 0.9, 0.9), issues


def table_of(chosen: Recipe) -> tuple[LabelTable, set[tuple[str, str, str]]]:
    """The table of a data set, and its images by name, with label and split."""
    with collected(chosen) as collection:
        table = label_table(collection, chosen.dataset, *nothing_found(collection))
        return table, images_of(collection)


def images_of(collection: Collection) -> set[tuple[str, str, str]]:
    return {
        (collection.name(n), collection.label(n), str(collection.splits[n]))
        for n in range(len(collection))
    }


def read_back(table: LabelTable, file: Path, *more: str) -> set[tuple[str, str, str]]:
    file.write_text(table.content, encoding="utf-8", newline="")
    words = ["dataset=csv", "dataset.split_column=split", "image_size=32"]
    plain = recipe(*words, f"dataset.path={file.parent}", *more)
    dataset = plain.dataset.model_copy(update={"path": file, "root": table.root})
    with collected(plain.model_copy(update={"dataset": dataset})) as collection:
        return images_of(collection)


@pytest.mark.parametrize("split", ["drawn", "given", "kfold"])
def test_a_folder_comes_back_with_its_split(split: str, tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos", each=10)
    if split == "given":
        for name in ("train", "validation", "test"):
            shutil.copytree(folder, tmp_path / "layout" / name)
        folder = tmp_path / "layout"
    words = ["validation=kfold", "validation.folds=2"] if split == "kfold" else []
    table, images = table_of(of_folder(folder, *words))
    assert table.left_out == ()
    rows = list(csv.reader(io.StringIO(table.content)))
    assert tuple(rows[0]) == HEADER
    assert len(rows) == 1 + len(images) == 1 + (90 if split == "given" else 30)
    assert read_back(table, tmp_path / "labels.csv", *words) == images


def test_a_table_comes_back_and_an_edited_label_counts(tmp_path: Path) -> None:
    photos(tmp_path / "photos", each=8)
    source = tmp_path / "data" / "mine.csv"
    source.parent.mkdir()
    rows = [
        f"{path.relative_to(tmp_path)};{path.parent.name};{'dev' if path.stem < '02' else 'train'}"
        for path in sorted((tmp_path / "photos").rglob("*.jpg"))
    ]
    source.write_text("\n".join(["file;kind;part", *rows]).replace(";", ","), encoding="utf-8")
    chosen = recipe(
        *("dataset=csv", f"dataset.path={source}", f"dataset.root={tmp_path}", "image_size=32"),
        *("dataset.image_column=file", "dataset.label_column=kind", "dataset.split_column=part"),
        "dataset.test_fraction=0",
    )
    table, images = table_of(chosen)
    assert {split for _, _, split in images} == {"train", "validation"}
    edited = table.content.replace("photos/bee/05.jpg,bee", "photos/bee/05.jpg,ant")
    back = read_back(LabelTable(edited, table.root, ()), tmp_path / "labels.csv")
    train = {row for row in back if row[2] != "test"}
    assert {row[0]: row[1] for row in back} == {
        row[0]: "ant" if row[0].endswith("bee/05.jpg") else row[1] for row in images
    }
    assert {row[0] for row in train if row[2] == "validation"} == {
        row[0] for row in images if row[2] == "validation"
    }


_TEXT = st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), max_size=8)


@settings(max_examples=5)
@given(
    st.lists(_TEXT, min_size=2, max_size=5, unique_by=str.casefold),
    st.lists(st.sampled_from(["ant", "a,b", 'q"q', "c ", "10", "9", "あ"]), min_size=2, max_size=3,
             unique=True),
)  # fmt: skip
def test_any_names_come_back_or_are_named(
    tmp_path_factory: pytest.TempPathFactory, files: list[str], classes: list[str]
) -> None:
    root = tmp_path_factory.mktemp("any")
    for channel, name in enumerate(classes):
        for number, file in enumerate(files):
            path = root / "data" / name / f"f{file}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            texture(number, channel, (8, 6)).save(path)
    plain = of_folder(root, "dataset.test_fraction=0", "validation=split")
    dataset = plain.dataset.model_copy(update={"path": root / "data"})
    table, images = table_of(plain.model_copy(update={"dataset": dataset}))
    lost = {image for image in images if image[1] == "c "}
    assert set(table.left_out) == {name for name, _, _ in lost}
    assert len(list(csv.reader(io.StringIO(table.content)))) == 1 + len(images - lost)
    labels = {label for _, label, _ in images - lost}
    if len(labels) > 1:
        back = read_back(table, root / "labels.csv")
        kept = {(name, label) for name, label, _ in images - lost}
        assert {(name, label) for name, label, _ in back} == kept


def test_issues_name_the_other_image_and_its_label(tmp_path: Path) -> None:
    with collected(of_folder(photos(tmp_path / "photos", each=8))) as collection:
        copies, issues = nothing_found(collection)
        first = next(n for n in range(len(collection)) if collection.identify(n) == "ant/00.jpg")
        second = next(n for n in range(len(collection)) if collection.identify(n) == "bee/01.jpg")
        pair = Pair(first, second, NEAR, 0.9, 0.9)
        copies = Copies((pair,), copies.groups, 0.9, 0.9)
        table = label_table(collection, of_folder(tmp_path / "photos").dataset, copies, issues)
        split = collection.splits[second]
    rows = {row["image"]: row for row in csv.DictReader(io.StringIO(table.content))}
    expected = f"nearly the same picture as bee/01.jpg ({split}), which is labelled bee"
    assert rows["ant/00.jpg"]["issue"] == expected
    assert rows["ant/01.jpg"]["issue"] == ""


def test_images_that_are_no_files_have_no_root() -> None:
    chosen = recipe("image_size=32", "dataset.fraction=0.05")
    table, images = table_of(chosen)
    assert table.root is None
    assert len(table.content.splitlines()) == 1 + len(images)
