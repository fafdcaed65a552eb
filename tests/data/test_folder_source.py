"""Folders of images: their layouts, and every way a folder can be wrong."""

import os
from pathlib import Path

import numpy as np
import pytest
from pictures import as_nobody, decoded, faults, folder, names, open_folder, picture

from sweeper.data import sources
from sweeper.errors import MissingInput


def test_train_and_test_folders(tmp_path):
    for part, level in (("train", 10), ("test", 200)):
        picture(tmp_path / part / "cat" / "b.PNG", level)
        picture(tmp_path / part / "cat" / "a.bmp", level + 1)
        picture(tmp_path / part / "ant" / "c.gif", level + 2)
    picture(tmp_path / "train" / ".hidden" / "a.png")
    picture(tmp_path / "train" / "ant" / ".hidden.png")
    (tmp_path / "train" / "ant" / "notes.txt").write_text("not an image")

    assert sources.prepare(folder(tmp_path)) == []
    source = sources.load(folder(tmp_path))

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
    source = sources.load(folder(tmp_path))
    assert source.class_names == ("bus", "train")  # a class may be called train
    assert np.bincount(source.train.labels).tolist() == [6, 6]
    assert np.bincount(source.test.labels).tolist() == [2, 2]
    assert not set(source.train.indices) & set(source.test.indices)
    assert sources.load(folder(tmp_path)).test.indices.tolist() == source.test.indices.tolist()


def test_published_validation_images_train_too(tmp_path):
    for part in ("train", "val", "test"):
        for name in ("cat", "dog"):
            picture(tmp_path / part / name / "a.png")
    (told,) = sources.prepare(folder(tmp_path))
    assert told.startswith(f"{tmp_path / 'val'} counts as train")
    train = sources.load(folder(tmp_path)).train
    assert train.labels.tolist() == [0, 0, 1, 1]
    assert {Path(name).parent.parent.name for name in names(train)} == {"train", "val"}


def test_a_path_may_start_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("cat", "dog"):
        for number in range(2):
            picture(tmp_path / "photos" / name / f"{number}.png")
    assert len(sources.load(folder(Path("~/photos"))).train) == 3


def test_missing(tmp_path):
    with pytest.raises(MissingInput, match=f"there is no folder {tmp_path / 'nowhere'}"):
        sources.load(folder(tmp_path / "nowhere"))


def test_a_file_is_no_folder(tmp_path):
    path = picture(tmp_path / "photos.png")
    with pytest.raises(MissingInput, match=f"{path} is not a folder"):
        sources.load(folder(path))


def test_a_link_that_leads_in_a_circle(tmp_path):
    (tmp_path / "photos").symlink_to(tmp_path / "photos")
    with pytest.raises(MissingInput, match=f"{tmp_path / 'photos'} cannot be read"):
        sources.prepare(folder(tmp_path / "photos"))


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
    picture(tmp_path / "dog" / "b.tiff")
    (tmp_path / "eel").mkdir()
    picture(tmp_path / "fox" / "deeper" / "a.png")
    dog, eel, fox = faults(folder(tmp_path))
    assert f"{tmp_path / 'dog'} holds 1 .tiff files" in dog
    assert f"{tmp_path / 'eel'} holds no image (.bmp .gif" in eel
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


@pytest.mark.parametrize(("there", "lacks"), [("train", "test"), ("val", "train")])
def test_half_a_layout(tmp_path, there, lacks):
    for part in {there, "val"}:
        for name in ("cat", "dog"):
            picture(tmp_path / part / name / "a.png")
    (fault,) = faults(folder(tmp_path))
    assert f"but not in {lacks}; add {tmp_path / lacks}" in fault


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
                sources.load(folder(path / "photos" / "dog"))
        assert fault.startswith(f"{path / 'photos'} cannot be read (Permission denied)")
        (path / "photos").chmod(0o755)


def test_many_faults_fit_a_screen(tmp_path):
    for number in range(15):
        (tmp_path / f"{number}").mkdir()
    found = faults(folder(tmp_path))
    assert len(found) == 11
    assert found[-1] == "and 5 more faults"
