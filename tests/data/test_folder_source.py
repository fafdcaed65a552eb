"""Folders of images: both layouts, and every way a folder can be wrong."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sweeper.config import Folder
from sweeper.data import sources
from sweeper.errors import ConfigError, MissingInput


def picture(path: Path, level: int = 100, size: tuple[int, int] = (12, 9)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (level, 0, 255 - level)).save(path)


def recipe(path: Path) -> Folder:
    return Folder(
        source="folder", path=path, validation_fraction=0.2, test_fraction=0.25, split_seed=0
    )


def decoded(examples: sources.Examples) -> list[np.ndarray]:
    return [examples.decode(raw).numpy() for raw in examples.raw().as_numpy_iterator()]


def faults(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        sources.load(recipe(path))
    return str(caught.value)


def test_train_and_test_folders(tmp_path):
    for part, level in (("train", 10), ("test", 200)):
        picture(tmp_path / part / "cat" / "b.PNG", level)
        picture(tmp_path / part / "cat" / "a.bmp", level + 1)
        picture(tmp_path / part / "ant" / "c.gif", level + 2)
    picture(tmp_path / "train" / ".hidden" / "a.png")
    picture(tmp_path / "train" / "ant" / ".hidden.png")
    (tmp_path / "train" / "ant" / "notes.txt").write_text("not an image")

    sources.prepare(recipe(tmp_path))
    source = sources.load(recipe(tmp_path))

    assert source.class_names == ("ant", "cat")
    assert source.train.labels.tolist() == source.test.labels.tolist() == [0, 1, 1]
    assert [image[0, 0, 0] for image in decoded(source.train)] == [12, 11, 10]
    assert [image[0, 0, 0] for image in decoded(source.test)] == [202, 201, 200]
    assert all(image.shape == (9, 12, 3) for image in decoded(source.train))


def test_classes_alone_are_split(tmp_path):
    for number in range(8):
        picture(tmp_path / "train" / f"{number}.jpg", size=(10 + number, 12))
        picture(tmp_path / "bus" / f"{number}.JPEG")
    source = sources.load(recipe(tmp_path))
    assert source.class_names == ("bus", "train")  # a class may be called train
    assert np.bincount(source.train.labels).tolist() == [6, 6]
    assert np.bincount(source.test.labels).tolist() == [2, 2]
    assert not set(source.train.indices) & set(source.test.indices)
    assert sources.load(recipe(tmp_path)).test.indices.tolist() == source.test.indices.tolist()


def test_grey_and_transparent_images_get_three_channels(tmp_path):
    for name in ("a", "b"):
        for mode in ("L", "RGBA", "P", "LA"):
            path = tmp_path / name / f"{mode}.png"
            path.parent.mkdir(exist_ok=True)
            Image.new(mode, (5, 4)).save(path)
    assert {image.shape for image in decoded(sources.load(recipe(tmp_path)).train)} == {(4, 5, 3)}


def test_folder_missing(tmp_path):
    with pytest.raises(MissingInput, match=f"no folder {tmp_path / 'nowhere'}"):
        sources.load(recipe(tmp_path / "nowhere"))


def test_no_classes(tmp_path):
    picture(tmp_path / "loose.png")
    assert f"{tmp_path} holds no folders" in faults(tmp_path)


def test_one_class(tmp_path):
    picture(tmp_path / "cat" / "a.png")
    assert "one class only, 'cat'" in faults(tmp_path)


def test_every_empty_or_unreadable_class_is_named(tmp_path):
    picture(tmp_path / "cat" / "a.png")
    picture(tmp_path / "dog" / "a.png")
    picture(tmp_path / "dog" / "b.webp")
    (tmp_path / "eel").mkdir()
    (tmp_path / "fox" / "deeper").mkdir(parents=True)
    text = faults(tmp_path)
    assert f"{tmp_path / 'eel'} holds no image" in text
    assert f"{tmp_path / 'fox'} holds no image" in text
    assert f"{tmp_path / 'dog'} holds 1 .webp files" in text
    assert f"{tmp_path / 'cat'} " not in text


def test_train_and_test_with_other_classes(tmp_path):
    for name in ("train/cat", "train/dog", "train/eel", "test/cat", "test/dogs"):
        picture(tmp_path / name / "a.png")
    text = faults(tmp_path)
    assert f"{tmp_path / 'train'} has a class 'dog' that {tmp_path / 'test'} lacks" in text
    assert "did you mean 'dogs'?" in text
    assert "'eel'" in text
    assert f"{tmp_path / 'test'} has a class 'dogs'" in text
    assert "'cat'" not in text


def test_train_without_test(tmp_path):
    picture(tmp_path / "train" / "cat" / "a.png")
    picture(tmp_path / "train" / "dog" / "a.png")
    assert f"set dataset.path={tmp_path / 'train'}" in faults(tmp_path)


def test_broken_images_are_named_before_any_trial(tmp_path):
    for name in ("cat", "dog"):
        for number in range(3):
            picture(tmp_path / name / f"{number}.jpg", size=(200, 200))
    cut = tmp_path / "cat" / "1.jpg"
    cut.write_bytes(cut.read_bytes()[:700])
    (tmp_path / "dog" / "0.jpg").write_bytes(b"<html>not found</html>")
    (tmp_path / "dog" / "2.jpg").write_bytes(b"")
    with pytest.raises(ConfigError) as caught:
        sources.prepare(recipe(tmp_path))
    named = {fault.split(" cannot be decoded")[0] for fault in caught.value.faults}
    assert named == {str(tmp_path / name) for name in ("cat/1.jpg", "dog/0.jpg", "dog/2.jpg")}


def test_many_broken_images_fit_a_screen(tmp_path):
    for number in range(15):
        picture(tmp_path / "cat" / f"{number}.png")
        (tmp_path / "dog").mkdir(exist_ok=True)
        (tmp_path / "dog" / f"{number}.png").write_bytes(b"nothing")
    with pytest.raises(ConfigError) as caught:
        sources.prepare(recipe(tmp_path))
    assert len(caught.value.faults) == 11
    assert "more such files" in caught.value.faults[-1]
