"""Folders of images: their layouts, and every way a folder can be wrong."""

import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from pictures import as_nobody, decoded, faults, folder, names, open_folder, picture

from sweeper.data.examples import Source
from sweeper.data.sources import loading
from sweeper.data.splits import given_validation
from sweeper.errors import ConfigError, MissingInput


def test_train_and_test_folders(tmp_path):
    for part, level in (("train", 10), ("test", 200)):
        picture(tmp_path / part / "cat" / "b.PNG", level)
        picture(tmp_path / part / "cat" / "a.bmp", level + 1)
        picture(tmp_path / part / "ant" / "c.gif", level + 2)
    picture(tmp_path / "train" / ".hidden" / "a.png")
    picture(tmp_path / "train" / "ant" / ".hidden.png")
    (tmp_path / "train" / "ant" / "notes.txt").write_text("not an image")

    assert loading.prepare(folder(tmp_path)) == [
        "files that are no images are left out: 1 .txt; the first is "
        f"{tmp_path / 'train' / 'ant' / 'notes.txt'}"
    ]
    source = loading.load(folder(tmp_path))

    assert source.class_names == source.train.class_names == source.test.class_names
    assert source.class_names == ("ant", "cat")
    assert source.train.labels.tolist() == source.test.labels.tolist() == [0, 1, 1]
    assert [image[0, 0, 0] for image in decoded(source.train)] == [12, 11, 10]
    assert [image[0, 0, 0] for image in decoded(source.test)] == [202, 201, 200]
    assert all(image.shape == (9, 12, 3) for image in decoded(source.train))
    assert names(source.test)[0] == str(tmp_path / "test" / "ant" / "c.gif")


def test_classes_alone_are_split(tmp_path):
    for number in range(8):
        picture(tmp_path / "train" / f"{number}.jpg", size=(10 + number, 12))
        picture(tmp_path / "bus" / f"{number}.JPEG")
    source = loading.load(folder(tmp_path))
    assert source.class_names == ("bus", "train")  # a class may be called train
    assert np.bincount(source.train.labels).tolist() == [6, 6]
    assert np.bincount(source.test.labels).tolist() == [2, 2]
    assert not set(source.train.indices) & set(source.test.indices)
    assert loading.load(folder(tmp_path)).test.indices.tolist() == source.test.indices.tolist()


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("train", "val", "test"),
        ("train", "validation", None),
        ("Train", "Dev", "Test"),
        ("TRAIN", None, "TEST"),
        ("Training", "valid", "Testing"),
        ("training_set", None, "test_set"),
        ("train", None, None),
    ],
)
def test_folders_are_known_by_their_names(tmp_path, train, validation, test):
    for part in filter(None, (train, validation, test)):
        for name in ("cat", "dog"):
            for number in range(4):
                picture(tmp_path / part / name / f"{number}.png", number)
    dataset = folder(tmp_path)
    assert loading.prepare(dataset) == []
    source = loading.load(dataset)
    given = {names(source.train)[k] for k in np.flatnonzero(validates(source))}
    assert {Path(name).parent.parent.name for name in given} == {validation} - {None}
    assert len(given) == (8 if validation else 0)
    assert (source.drawn is None) == (test is not None)
    assert {Path(name).parent.parent.name for name in names(source.test)} == {test or train}
    assert loading.has_validation(dataset) == bool(validation)
    # what is given to validate by is not drawn from to test
    assert len(source.train) + len(source.test) == 8 * sum(map(bool, (train, validation, test)))


def validates(source: Source) -> np.ndarray:
    return np.isin(source.train.indices, source.validation)


def test_validation_images_stand_among_those_of_their_class(tmp_path):
    for part in ("train", "val", "test"):
        for name in ("cat", "dog"):
            picture(tmp_path / part / name / "a.png")
    source = loading.load(folder(tmp_path))
    assert source.train.labels.tolist() == [0, 0, 1, 1]
    assert source.validation.tolist() == [1, 3]
    train, validation = given_validation(source)
    assert [Path(name).parent.parent.name for name in names(train)] == ["train"] * 2
    assert [Path(name).parent.parent.name for name in names(validation)] == ["val"] * 2


def test_a_class_that_only_validates_cannot_be_learnt(tmp_path):
    for name in ("train/cat", "train/dog", "val/cat", "val/eel"):
        for number in range(3):
            picture(tmp_path / name / f"{number}.png")
    source = loading.load(folder(tmp_path))
    with pytest.raises(ConfigError, match="class 'eel' has validation images and no training"):
        given_validation(source)


def test_folders_of_one_meaning_are_not_guessed_at(tmp_path):
    for part in ("train", "Training", "test"):
        for name in ("cat", "dog"):
            picture(tmp_path / part / name / "a.png")
    (fault,) = faults(folder(tmp_path))
    assert "are both taken for train; join them, or remove one" in fault


def test_what_is_left_out_is_counted(tmp_path):
    for name in ("cat", "dog"):
        for number in range(4):
            picture(tmp_path / "train" / name / f"{number}.png", number)
    picture(tmp_path / "test" / "1.png")
    picture(tmp_path / "loose.jpg")
    for number in range(3):
        (tmp_path / "train" / "cat" / f"{number}.xml").write_text("<box/>")
    (tmp_path / "train" / "dog" / "LICENSE").write_text("free")
    (tmp_path / "__MACOSX" / "train").mkdir(parents=True)
    loose, flat, others = loading.prepare(folder(tmp_path))
    assert loose.startswith(f"warning: 1 images of {tmp_path} lie in no class folder")
    assert flat.startswith(f"warning: {tmp_path / 'test'} is left out: it holds 1 files and no")
    assert others == (
        "files that are no images are left out: 3 .xml, 1 without a suffix; the first is "
        f"{tmp_path / 'train' / 'cat' / '0.xml'}"
    )


def test_train_and_test_without_classes(tmp_path):
    for part in ("train", "test"):
        picture(tmp_path / part / "a.png")
    (fault,) = faults(folder(tmp_path))
    assert fault.startswith(f"{tmp_path} holds test, train without class folders")


def test_a_folder_around_the_data(tmp_path):
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            picture(tmp_path / "photos" / part / name / "a.png")
    assert any(
        f"set dataset.path={tmp_path / 'photos'}" in fault for fault in faults(folder(tmp_path))
    )


def test_names_that_are_no_utf8(tmp_path):
    for name in ("cat", "dog"):
        for number in range(4):
            picture(tmp_path / name / f"{number}.png", number)
    place = os.fsencode(tmp_path)
    os.rename(place + b"/cat/0.png", place + b"/cat/caf\xe9.png")  # noqa: PTH104
    dataset = folder(tmp_path)
    assert loading.prepare(dataset) == []
    source = loading.load(dataset)
    assert len(decoded(source.train)) == 6
    Path(os.fsdecode(place + b"/dog/caf\xe9.png")).write_bytes(b"")
    (fault,) = faults(dataset, loading.prepare)
    assert fault.startswith(f"{tmp_path}/dog/caf\\xe9.png cannot be decoded (the file is empty)")
    os.rename(place + b"/dog", place + b"/caf\xe9")  # noqa: PTH104
    (fault,) = faults(dataset)
    assert f"{tmp_path}/caf\\xe9 cannot be the name of a class" in fault


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_path_in_another_unicode_form(tmp_path, form):
    for name in ("caf\u00e9", "dog"):
        for number in range(4):
            other = unicodedata.normalize({"NFC": "NFD", "NFD": "NFC"}[form], f"f\u00e9e/{name}")
            picture(tmp_path / other / f"{number}.png", number)
    dataset = folder(tmp_path / unicodedata.normalize(form, "f\u00e9e"))
    assert loading.load(dataset).class_names == ("caf\u00e9", "dog")


def test_a_path_may_start_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("cat", "dog"):
        for number in range(2):
            picture(tmp_path / "photos" / name / f"{number}.png")
    assert len(loading.load(folder(Path("~/photos"))).train) == 3


def test_missing(tmp_path):
    with pytest.raises(MissingInput, match=f"there is no folder {tmp_path / 'nowhere'}"):
        loading.load(folder(tmp_path / "nowhere"))


def test_a_file_is_no_folder(tmp_path):
    path = picture(tmp_path / "photos.png")
    with pytest.raises(MissingInput, match=f"{path} is not a folder"):
        loading.load(folder(path))


def test_a_link_that_leads_in_a_circle(tmp_path):
    (tmp_path / "photos").symlink_to(tmp_path / "photos")
    with pytest.raises(MissingInput, match=f"{tmp_path / 'photos'} cannot be read"):
        loading.prepare(folder(tmp_path / "photos"))


def test_no_classes(tmp_path):
    picture(tmp_path / "loose.png")
    assert faults(folder(tmp_path)) == (
        f"dataset.path: {tmp_path} holds no folders; it needs one a class",
    )


def test_one_class(tmp_path):
    picture(tmp_path / "cat" / "a.png")
    assert "one class only, 'cat'" in faults(folder(tmp_path))[0]


def test_every_empty_class_is_named(tmp_path):
    picture(tmp_path / "cat" / "a.png")
    picture(tmp_path / "dog" / "a.png")
    (tmp_path / "dog" / "b.NEF").write_bytes(b"II*\0")
    (tmp_path / "eel").mkdir()
    picture(tmp_path / "fox" / "deeper" / "a.png")
    dog, eel, fox = faults(folder(tmp_path))
    assert f"{tmp_path / 'dog'} holds 1 .nef files" in dog
    assert f"{tmp_path / 'eel'} holds no image (.apng .avif" in eel
    assert f"{tmp_path / 'fox'} holds the folder 'deeper'" in fox


def test_a_class_that_is_empty_in_one_part(tmp_path):
    for name in ("train/cat", "train/dog", "test/cat"):
        picture(tmp_path / name / "a.png")
    (tmp_path / "test" / "dog").mkdir()
    (fault,) = faults(folder(tmp_path))
    assert f"{tmp_path / 'test' / 'dog'} holds no image" in fault


def test_train_and_test_with_other_classes(tmp_path):
    for name in ("train/cat", "train/dog", "train/eel", "test/cat", "test/dogs"):
        picture(tmp_path / name / "a.png")
    train, test = tmp_path / "train", tmp_path / "test"
    assert faults(folder(tmp_path)) == (
        f"{train} has a class 'dog' that {test} lacks; did you mean 'dogs'?",
        f"{train} has a class 'eel' that {test} lacks",
        f"{test} has a class 'dogs' that {train} lacks; did you mean 'dog'?",
    )


def test_test_without_train(tmp_path):
    for part in ("val", "test"):
        for name in ("cat", "dog"):
            picture(tmp_path / part / name / "a.png")
    (fault,) = faults(folder(tmp_path))
    assert f"but not in train; add {tmp_path / 'train'}" in fault


def test_a_folder_beside_train_and_test(tmp_path):
    for part in ("train", "test", "extra"):
        for name in ("cat", "dog"):
            picture(tmp_path / part / name / "a.png")
    (fault,) = faults(folder(tmp_path))
    assert fault.startswith(f"{tmp_path / 'extra'} is neither train nor test")


def test_what_cannot_be_read_is_named_among_other_faults(tmp_path):
    for name in ("cat", "dog"):
        picture(tmp_path / name / "a.png")
    (tmp_path / "cat" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "dog" / "circle.png").symlink_to(tmp_path / "dog" / "circle.png")
    (tmp_path / "eel").symlink_to(tmp_path / "eel")
    os.mkfifo(tmp_path / "dog" / "pipe.png")  # reading it would wait for ever
    (tmp_path / "fox").mkdir()
    eel, gone, circle, pipe, fox = faults(folder(tmp_path))
    assert eel.startswith(f"{tmp_path / 'eel'} cannot be read (Too many levels")
    assert gone.startswith(f"{tmp_path / 'cat' / 'gone.png'} cannot be read (No such file")
    assert circle.startswith(f"{tmp_path / 'dog' / 'circle.png'} cannot be read")
    assert pipe.startswith(f"{tmp_path / 'dog' / 'pipe.png'} is no file")
    assert "fox" in fox


def test_folders_without_permission():
    with open_folder() as path:
        for name in ("cat", "dog", "eel"):
            picture(path / "photos" / name / "a.png")
        (path / "photos" / "dog").chmod(0)
        with as_nobody():
            (fault,) = faults(folder(path / "photos"))
        assert fault.startswith(f"{path / 'photos' / 'dog'} cannot be read (Permission denied)")
        (path / "photos").chmod(0)
        with as_nobody():
            (fault,) = faults(folder(path / "photos"))
            with pytest.raises(MissingInput, match="Permission denied"):
                loading.load(folder(path / "photos" / "dog"))
        assert fault.startswith(f"{path / 'photos'} cannot be read (Permission denied)")
        (path / "photos").chmod(0o755)


def test_many_faults_fit_a_screen(tmp_path):
    for number in range(15):
        (tmp_path / f"{number}").mkdir()
    found = faults(folder(tmp_path))
    assert len(found) == 11
    assert found[-1] == "and 5 more faults"
