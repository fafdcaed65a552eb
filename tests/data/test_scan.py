"""Images that cannot be decoded: named, or left out and reported, and looked for only once."""

import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import as_nobody, decoded, faults, folder, names, open_folder, picture, truncated

from sweeper import paths
from sweeper.data.examples import Source, class_counts
from sweeper.data.sources import loading
from sweeper.data.splits import split_folds
from sweeper.errors import ConfigError


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six images, of which three are broken, each in its own way."""
    for name in ("cat", "dog"):
        for number in range(3):
            picture(tmp_path / "photos" / name / f"{number}.jpg")
    truncated(tmp_path / "photos" / "cat" / "1.jpg")
    (tmp_path / "photos" / "cat" / "0.jpg").write_bytes(b"<html>not found</html>")
    (tmp_path / "photos" / "dog" / "2.jpg").write_bytes(b"")
    for number in (3, 4):
        picture(tmp_path / "photos" / "cat" / f"{number}.jpg", 100 + number)
    return tmp_path / "photos"


BROKEN = ["cat/0.jpg", "cat/1.jpg", "dog/2.jpg"]
SOUND = ["cat/2.jpg", "cat/3.jpg", "cat/4.jpg", "dog/0.jpg", "dog/1.jpg"]


def everything(source: Source) -> list[str]:
    return sorted([*names(source.train), *names(source.test)])


def test_broken_images_are_named_before_any_trial(photos):
    for reads in (loading.prepare, loading.prepare):  # found, then recalled
        found = faults(folder(photos), reads)
        assert [fault.split(" cannot be decoded")[0] for fault in found] == [
            str(photos / name) for name in BROKEN
        ]
        assert "Invalid JPEG data or crop window)" in found[1]
        assert all("dataset.on_corrupt=skip" in fault for fault in found)
    assert loading.undecodable(folder(photos, on_corrupt="skip")) == list(found)


def test_broken_images_are_left_out_and_counted(photos):
    skipping = folder(photos, on_corrupt="skip")
    (reported,) = loading.prepare(skipping)
    assert reported == (
        f"3 of 8 images of {photos} cannot be decoded and are left out: "
        + ", ".join(str(photos / name) for name in BROKEN)
    )
    source = loading.load(skipping)
    assert everything(source) == [str(photos / name) for name in SOUND]
    assert len(decoded(source.train) + decoded(source.test)) == 5
    assert class_counts(source.train.labels, 2).sum() == len(source.train) == 4
    assert [Path(names(source.train)[k]).parent.name for k in range(4)] == [
        source.class_names[label] for label in source.train.labels
    ]


def test_one_broken_image_is_one(tmp_path):
    for name in ("cat", "dog"):
        for number in range(5):
            picture(tmp_path / name / f"{number}.png")
    (tmp_path / "cat" / "0.png").write_bytes(b"")
    (reported,) = loading.prepare(folder(tmp_path, on_corrupt="skip"))
    assert "1 of 10 images" in reported
    assert "is left out" in reported


@settings(max_examples=8, deadline=None)
@given(st.data())
def test_exactly_the_broken_are_left_out(data):
    counts = data.draw(st.lists(st.integers(2, 5), min_size=2, max_size=3))
    with tempfile.TemporaryDirectory() as place:
        root, sound = Path(place) / "photos", []
        for label, count in enumerate(counts):
            broken = data.draw(st.sets(st.integers(0, count - 1), max_size=count - 2))
            for number in range(count):
                path = picture(root / f"{label}" / f"{number}.png")
                if number in broken:
                    path.write_bytes(path.read_bytes()[: data.draw(st.integers(0, 60))])
                else:
                    sound.append(str(path))
        skipping = folder(root, on_corrupt="skip")
        reported = loading.prepare(skipping)
        assert everything(loading.load(skipping)) == sound
        assert len(reported) == (len(sound) < sum(counts))


def test_a_class_without_a_sound_image(photos):
    for number in (0, 1):
        (photos / "dog" / f"{number}.jpg").write_bytes(b"")
    for reads in (loading.prepare, loading.load):
        assert faults(folder(photos, on_corrupt="skip"), reads) == (
            f"{photos} has no image of class 'dog' left: none of its 3 can be decoded; "
            "replace them, or remove the class",
        )


def test_a_class_left_with_a_single_image(photos):
    (photos / "dog" / "1.jpg").write_bytes(b"")
    (fault,) = faults(folder(photos, on_corrupt="skip"), loading.prepare)
    assert "dataset.test_fraction cannot be held out: class 'dog' has a single image" in fault


def test_many_broken_images_fit_a_screen(tmp_path):
    for number in range(15):
        picture(tmp_path / "cat" / f"{number}.png")
        picture(tmp_path / "dog" / f"x{number}.png")
        (tmp_path / "dog" / f"{number}.png").write_bytes(b"nothing")
    found = faults(folder(tmp_path), loading.prepare)
    assert len(found) == 11
    assert found[-1] == "and 5 more such images"
    (reported,) = loading.prepare(folder(tmp_path, on_corrupt="skip"))
    assert reported.startswith("15 of 45 images")
    assert reported.endswith(
        f"{tmp_path / 'dog' / '1.png'}, {tmp_path / 'dog' / '10.png'}, 12 more"
    )


def silently(path: Path, content: bytes) -> None:
    """Overwrite a file so that neither its size nor its time tells."""
    before = path.stat()
    path.write_bytes(content.ljust(before.st_size, b"\0"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_an_unchanged_data_set_is_not_decoded_again(photos):
    for name in BROKEN:
        (photos / name).unlink()
    loading.prepare(folder(photos))
    silently(photos / "cat" / "2.jpg", b"")
    assert loading.prepare(folder(photos)) == []
    os.utime(photos / "cat" / "2.jpg")
    (fault,) = faults(folder(photos), loading.prepare)
    assert str(photos / "cat" / "2.jpg") in fault


def test_trials_leave_out_what_the_scan_found(photos):
    skipping = folder(photos, on_corrupt="skip")
    loading.prepare(skipping)
    silently(photos / "cat" / "2.jpg", b"")
    assert everything(loading.load(skipping)) == [str(photos / name) for name in SOUND]


@pytest.mark.parametrize("change", ["replaced", "added", "removed", "renamed"])
def test_a_changed_data_set_is_looked_at_again(photos, change):
    skipping = folder(photos, on_corrupt="skip")
    loading.prepare(skipping)
    expected = set(SOUND)
    if change == "replaced":
        picture(photos / "dog" / "2.jpg")
        expected |= {"dog/2.jpg"}
    elif change == "added":
        picture(photos / "cat" / "00.jpg")
        expected |= {"cat/00.jpg"}
    elif change == "removed":
        (photos / "cat" / "0.jpg").unlink()
    else:
        (photos / "cat" / "0.jpg").rename(photos / "cat" / "9.jpg")
    # without prepare: the scan is made up for
    assert everything(loading.load(skipping)) == sorted(str(photos / name) for name in expected)


def test_a_renamed_image_is_reported_by_its_new_name(photos):
    before = faults(folder(photos), loading.prepare)
    (photos / "cat" / "1.jpg").rename(photos / "cat" / "11.jpg")  # as large, as old, same place
    after = faults(folder(photos), loading.prepare)
    assert after == tuple(fault.replace("cat/1.jpg", "cat/11.jpg") for fault in before)


@pytest.mark.parametrize("damage", ["lost", "cut", "of another kind"])
def test_a_damaged_cache_is_rebuilt(photos, cache, damage):
    skipping = folder(photos, on_corrupt="skip")
    loading.prepare(skipping)
    (kept,) = (cache / "scans").iterdir()
    whole = json.loads(kept.read_text())
    assert whole["images"] == {str(photos): 8}
    if damage == "lost":
        shutil.rmtree(cache)
    elif damage == "cut":
        kept.write_text(kept.read_text()[:40])
    else:
        kept.write_text('{"undecodable": [[{"place": 3}]]}')
    assert everything(loading.load(skipping)) == [str(photos / name) for name in SOUND]
    assert json.loads(kept.read_text()) == whole


def test_a_cache_that_cannot_be_written_is_reported(photos, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    skipping = folder(photos, on_corrupt="skip")
    left_out, uncached = loading.prepare(skipping)
    assert left_out.startswith("3 of 8 images")
    assert f"cannot be kept in {tmp_path / 'file' / 'sweeper' / 'scans'}" in uncached
    assert len(everything(loading.load(skipping))) == 5


def test_a_file_that_cannot_be_read_is_no_corrupt_image():
    with open_folder() as path:
        for name in ("cat", "dog"):
            for number in range(3):
                picture(path / name / f"{number}.png")
        secret = path / "dog" / "1.png"
        secret.chmod(0)
        for on_corrupt in ("error", "skip"):
            with as_nobody():
                (fault,) = faults(folder(path, on_corrupt=on_corrupt), loading.prepare)
            assert fault.startswith(f"{secret} cannot be read (")
            assert "Permission denied" in fault
        secret.chmod(0o644)
        with as_nobody(), pytest.raises(ConfigError, match="needs"):
            split_folds(loading.load(folder(path)).train, 4, 0)


def test_the_cache_has_its_place(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert paths.cache_dir() == tmp_path / "sweeper"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for ignored in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", ignored)
        assert paths.cache_dir() == tmp_path / "home" / ".cache" / "sweeper"
