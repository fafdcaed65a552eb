"""Tables of images: what they may say, and every fault with its line."""

import os
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pictures import as_nobody, decoded, faults, names, open_folder, picture, truncated

from sweeper.config import Csv
from sweeper.data.sources import csv_source, loading
from sweeper.errors import ConfigError, MissingInput


def recipe(path: Path, **changes: Any) -> Csv:
    settings: dict[str, Any] = {
        "source": "csv",
        "path": path,
        "root": None,
        "image_column": "image",
        "label_column": "label",
        "split_column": None,
        "validation_fraction": 0.2,
        "test_fraction": 0.5,
        "split_seed": 0,
        "on_corrupt": "error",
    }
    return Csv(**settings | changes)


def table(folder: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path = folder / "table.csv"
    path.write_bytes("\n".join([*lines, ""]).encode(encoding))
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for number in range(8):
        picture(tmp_path / "images" / f"{number}.png", level=number)
    return tmp_path


def test_a_table_is_read_by_its_header(images):
    path = table(
        images,
        " who ,image, label",
        "me, images/0.png ,cat",
        "",
        "you,images/1.png,an ant",
        '"them, too",images/2.png,cat',
        f"us,{images / 'images' / '3.png'},an ant",
    )
    assert loading.prepare(recipe(path)) == []
    source = loading.load(recipe(path))
    assert source.class_names == ("an ant", "cat")
    levels = [(image[0, 0, 0], image[0, 0, 2]) for image in decoded(source.train)]
    both = [*zip(names(source.train), source.train.labels, strict=True)]
    both += zip(names(source.test), source.test.labels, strict=True)
    assert sorted((Path(name).name, label) for name, label in both) == [
        ("0.png", 1),
        ("1.png", 0),
        ("2.png", 1),
        ("3.png", 0),
    ]
    assert levels == [
        (int(Path(name).stem), 255 - int(Path(name).stem)) for name in names(source.train)
    ]


def test_splits_of_the_table(images):
    path = table(
        images,
        "image,label,set",
        *(f"{number}.png,{number % 2},test" for number in range(4)),
        *(f"{number}.png,{number % 2},train" for number in (4, 5)),
        "6.png,0,validation",
        "7.png,1,val",
    )
    split = recipe(path, root=images / "images", split_column="set")
    assert loading.prepare(split) == []
    assert loading.has_validation(split)
    source = loading.load(split)
    assert [Path(name).stem for name in names(source.train)] == ["4", "5", "6", "7"]
    assert source.validation.tolist() == [2, 3]
    assert [Path(name).stem for name in names(source.test)] == ["0", "1", "2", "3"]
    assert source.train.labels.tolist() == source.test.labels.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["10", "9", "-1", "2.5"], ("-1", "2.5", "9", "10")),
        (["10", "9", "b"], ("10", "9", "b")),
        (["1", "01", "0"], ("0", "01", "1")),
        (["nan", "2", "10"], ("10", "2", "nan")),
    ],
)
def test_labels_that_are_all_numbers_sort_as_such(images, labels, expected):
    rows = [f"images/{n}.png,{labels[n % len(labels)]}" for n in range(2 * len(labels))]
    found = loading.load(recipe(table(images, "image,label", *rows)))
    assert found.class_names == expected


@settings(max_examples=30, deadline=None)
@given(st.sets(st.integers(-(10**30), 10**30), min_size=2))
def test_numbers_of_any_size_sort(numbers):
    assert csv_source._sorted_labels(set(map(str, numbers))) == tuple(map(str, sorted(numbers)))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_letters_of_all_kinds(images, encoding):
    rows = [f"images/{n}.png,{name}" for n, name in enumerate(["Äpfel", "苹果"] * 2)]
    path = table(images, "image,label", *rows, encoding=encoding)
    assert loading.load(recipe(path)).class_names == ("Äpfel", "苹果")


def test_missing(tmp_path):
    with pytest.raises(MissingInput, match=f"there is no file {tmp_path / 'table.csv'}"):
        loading.load(recipe(tmp_path / "table.csv"))
    with pytest.raises(MissingInput, match=f"{tmp_path} is not a file.*dataset=folder"):
        loading.load(recipe(tmp_path))


def test_missing_columns_are_named_with_the_nearest(tmp_path):
    path = table(tmp_path, "images,klass,set,set", "a.png,cat,train,train")
    image, label, split = faults(recipe(path, label_column="breed", split_column="set"))
    assert image == f"dataset.image_column: {path} has no column 'image'; did you mean 'images'?"
    assert label == (
        f"dataset.label_column: {path} has no column 'breed'; it has: images, klass, set, set"
    )
    assert split == f"dataset.split_column: {path} has two columns 'set'"


def test_other_delimiters(tmp_path):
    path = table(tmp_path, "image;label", "a.png;cat")
    assert faults(recipe(path))[-1] == f"{path} has one column only; cells are separated by commas"


def test_every_fault_of_the_rows_is_reported_with_its_line(images):
    (images / "images" / "folder.png").mkdir()
    os.mkfifo(images / "images" / "pipe.png")
    path = table(
        images,
        "image,label,split",
        "images/0.png,,train",  # 2
        ",cat,",  # 3
        "images/1.png,cat",  # 4
        "images/2.png,dog,trian",  # 5
        '"images/3.png","two\nlines",train',  # 6 and 7
        "images/gone.png,dog,test",  # 8
        "images/folder.png,dog,test",  # 9
        "images/../images/3.png,dog,test",  # 10
        "images/pipe.png,dog,test",  # 11
    )
    place = images / "images"
    assert set(faults(recipe(path, split_column="split"))) == {
        f"{path}, line 2: the cell of column 'label' is empty",
        f"{path}, line 3: the cell of column 'image' is empty",
        f"{path}, line 3: the cell of column 'split' is empty",
        f"{path}, line 4: has 2 cells, the header has 3",
        f"{path}, line 5: the split must be train, validation or test, got 'trian'; did you mean "
        "'train'?",
        f"{path}, line 8: there is no file {place / 'gone.png'}",
        f"{path}, line 9: {place / 'folder.png'} is not a file",
        f"{path}, line 10: {place / '3.png'} is in line 7 already",
        f"{path}, line 11: {place / 'pipe.png'} is not a file",
    }


def test_many_faults_of_a_kind_fit_a_screen_and_hide_no_other_kind(images):
    lines = [f"gone{number}.png,cat" for number in range(15)]
    path = table(images, "image,label", *lines, "images/0.png,")
    found = faults(recipe(path))
    assert len(found) == 12
    assert "and 5 more lines with such a path" in found
    assert f"{path}, line 17: the cell of column 'label' is empty" in found


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", " is empty"),
        (b"\n \n", " is empty"),
        (b"image,label\n", " has no rows"),
        (b"image,label\na.png,caf\xe9\n", ", line 2: is not UTF-8"),
        ("image,label\n".encode("utf-16"), ", line 1: is not UTF-8"),
        (b'image,label\n"a.png,cat\n', ", line 2: cannot be read as CSV"),
    ],
)
def test_what_is_no_table(tmp_path, content, fault):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    (found,) = faults(recipe(path))
    assert f"{path}{fault}" in found


def test_one_class(images):
    path = table(images, "image,label", "images/0.png,cat", "images/1.png,cat")
    assert "one class only, 'cat'" in faults(recipe(path))[0]


@pytest.mark.parametrize("image", ["../{0}/out.png", "{1}/out.png", "images/../../{0}/out.png"])
def test_a_path_that_leads_out_of_the_folder_is_refused(images, image):
    outside = images.parent / f"{images.name}-outside"
    picture(outside / "out.png", level=9)
    away = image.format(outside.name, outside)
    path = table(images, "image,label", "images/0.png,cat", f"{away},dog", "images/1.png,dog")
    (fault,) = faults(recipe(path))
    assert "line 3" in fault
    assert f"{away} leads out of {images}; set dataset.root to a folder that holds all" in fault
    whole = table(outside, "image,label", f"{images}/images/0.png,cat", f"{outside}/out.png,dog")
    assert loading.prepare(recipe(whole, root=images.parent, test_fraction=0)) is not None


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(parts=st.lists(st.sampled_from(["..", ".", "images", "x", "", "~", "0.png", "\\", "/"])))
def test_no_path_of_a_table_leads_out_of_the_folder(images, parts):
    path = table(images, "image,label", f"{'/'.join(['a', *parts])[1:]},cat", "images/1.png,dog")
    try:
        listed = csv_source.listing(recipe(path))
    except ConfigError:
        return
    assert all(Path(file).is_relative_to(images) for part in listed.parts for file in part.files)


def test_splits_with_other_classes(images):
    path = table(
        images,
        "image,label,split",
        "images/0.png,cat,train",
        "images/1.png,dog,train",
        "images/2.png,cat,test",
        "images/3.png,dogs,test",
    )
    train, test = f"the train rows of {path}", f"the test rows of {path}"
    assert faults(recipe(path, split_column="split")) == (
        f"{train} has a class 'dog' that {test} lacks; did you mean 'dogs'?",
        f"{test} has a class 'dogs' that {train} lacks; did you mean 'dog'?",
    )


def test_a_table_without_train_rows(images):
    rows = [f"images/{number}.png,{number},test" for number in range(3)]
    path = table(images, "image,label,split", *rows)
    (fault,) = faults(recipe(path, split_column="split"))
    assert f"{path} has no train rows" in fault


def test_a_table_without_test_rows(images):
    rows = [f"images/{n}.png,{n % 2},{('Train', 'VAL')[n // 6]}" for n in range(8)]
    split = recipe(table(images, "image,label,split", *rows), split_column="split")
    source = loading.load(split)
    assert sorted(Path(name).stem for name in names(source.train))[-2:] == ["6", "7"]
    assert (len(source.train), len(source.test), len(source.validation)) == (5, 3, 2)
    assert loading.load(recipe(split.path, split_column="split", test_fraction=0)).test is None


def test_files_that_are_named_otherwise(images):
    composed = unicodedata.normalize("NFC", "images/caf\u00e9/\u00fc.png")
    picture(images / composed)
    decomposed = unicodedata.normalize("NFD", composed)
    rows = [f"{decomposed},a", r"images\1.png,b", "images/2.png,a", "images/3.png,b"]
    source = loading.load(recipe(table(images, "image,label", *rows)))
    assert f"{images / composed}" in [*names(source.train), *names(source.test)]
    rows += [f"{composed},b", "Images/4.PNG,a", "images/4.PNG,a"]
    twice, folder, case = faults(recipe(table(images, "image,label", *rows)))
    assert twice.endswith(f"{images / composed} is in line 2 already")
    assert folder.endswith(f"there is no file {images / 'Images' / '4.PNG'}")
    assert case.endswith(f"there is no file {images / 'images' / '4.PNG'}; there is '4.png'")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("im\0age,label\na.png,a\n", 1),
        ("image,label\na.png,a\na\0b.png,a\n", 3),
        ("image,label\na.png,a\0\n", 2),
        ("image,label\na.png,a\n" + "\0" * 64, 3),  # of a machine that lost its power
        (b"i\0m\0,\0l\0", 1),  # UTF-16 without its mark
    ],
)
def test_a_table_that_holds_a_nul(tmp_path, content, line):
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (fault,) = faults(recipe(path))
    assert fault.startswith(f"{path}, line {line}: holds a NUL")
    assert fault.isprintable()


def test_labels_of_another_unicode_form_are_one_class(images):
    cells = [unicodedata.normalize(form, "caf\u00e9") for form in ("NFC", "NFD")]
    rows = [f"images/{n}.png,{(*cells, 'b')[n % 3]}" for n in range(8)]
    assert loading.load(recipe(table(images, "image,label", *rows))).class_names == (
        "b",
        "caf\u00e9",
    )


def test_labels_that_look_alike_are_reported(images):
    cells = ["Cat", "cat", "dog", "dog"]
    rows = [f"images/{n}.png,{cells[n % 4]}" for n in range(8)]
    path = table(images, "image,label", *rows)
    (doubt,) = loading.doubts(recipe(path))
    assert doubt == (
        f"warning: 'Cat' (2 images) and 'cat' (2 images) of {path} are 2 classes, whose names "
        "differ in case, blanks or digits only; if they are one, write them alike"
    )


def test_a_class_with_a_single_image(images):
    rows = [f"images/{number}.png,{name}" for number, name in enumerate(["cat", "cat", "dog"])]
    (fault,) = faults(recipe(table(images, "image,label", *rows)), loading.prepare)
    assert "class 'dog' has a single image" in fault


def test_broken_images_are_named_or_left_out(images):
    truncated(images / "images" / "8.jpg")
    rows = [f"images/{n}.{'jpg' if n == 8 else 'png'},{n % 2}" for n in range(9)]
    path = table(images, "image,label", *rows)
    (fault,) = faults(recipe(path), loading.prepare)
    assert fault.startswith(f"{images / 'images' / '8.jpg'} cannot be decoded")
    (reported,) = loading.prepare(recipe(path, on_corrupt="skip"))
    assert reported.startswith(f"1 of 9 images of {path} cannot be decoded and is left out")
    source = loading.load(recipe(path, on_corrupt="skip"))
    assert np.bincount([*source.train.labels, *source.test.labels]).tolist() == [4, 4]


def test_a_table_without_permission():
    with open_folder() as folder:
        path = table(folder, "image,label")
        path.chmod(0)
        with as_nobody():
            assert faults(recipe(path)) == (f"{path} cannot be read (Permission denied)",)
