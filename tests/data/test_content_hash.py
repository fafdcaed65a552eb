"""One image has one hash, whatever it is called and whatever its label; another has another."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import painted
import pytest
import tensorflow as tf
from pictures import folder, picture

from sweeper.config import Digits
from sweeper.data.content_hash import hashed, is_unchanged
from sweeper.data.examples import Examples
from sweeper.data.sources import loading


def of_folder(place: Path, **changes: object) -> Examples:
    return loading.load(folder(place, test_fraction=0, **changes)).train


def photos(place: Path) -> Path:
    for number in range(6):
        picture(place / ("cat", "dog")[number % 2] / f"{number}.png", 10 * number)
    return place


def hashes(examples: Examples) -> list[bytes]:
    assert examples.hashes is not None
    return [bytes(one) for one in examples.hashes(examples.indices)]


def test_names_labels_and_places_do_not_count_and_pixels_do(tmp_path: Path) -> None:
    first = photos(tmp_path / "first")
    before = hashes(of_folder(first))
    other = tmp_path / "other"
    shutil.copytree(first, other)
    (other / "cat" / "0.png").rename(other / "dog" / "9.png")
    after = of_folder(other)
    assert sorted(hashes(after)) == sorted(before)
    assert hashes(after) != before
    assert len(set(before)) == 6
    picture(other / "cat" / "2.png", 21)
    assert len(set(hashes(of_folder(other))) - set(before)) == 1


def test_a_selection_has_the_hashes_of_its_images(tmp_path: Path) -> None:
    everything = of_folder(photos(tmp_path))
    chosen = np.array([1, 2, 5])
    some = everything.select(chosen)
    assert hashes(some) == [hashes(everything)[place] for place in chosen]


def test_other_rules_of_decoding_are_other_hashes(tmp_path: Path) -> None:
    photos(tmp_path)
    usual, tight = of_folder(tmp_path), of_folder(tmp_path, max_pixels=10**6)
    assert not set(hashes(usual)) & set(hashes(tight))


def test_records_and_arrays_have_hashes_too(tmp_path: Path) -> None:
    records = loading.load(painted.recipe(painted.prepared(tmp_path))).train
    digits = Digits(source="digits", validation_fraction=0.2, test_fraction=0.02, split_seed=0)
    for examples in (records, loading.load(digits).train):
        images = [examples.decode(raw).numpy().tobytes() for raw in examples.raw()]
        assert len(hashes(examples)) == len(examples)
        # equal hashes, equal pixels
        assert len(set(zip(hashes(examples), images, strict=True))) == len(set(hashes(examples)))


def test_a_hash_that_ends_in_zeros_is_whole() -> None:
    contents = tf.data.Dataset.from_tensor_slices([str(number) for number in range(3000)])
    found = hashed(contents, "rules")
    assert {len(found[place : place + 1].tobytes()) for place in range(3000)} == {16}
    assert len(set(found.tolist())) == 3000


def test_files_that_change_meanwhile_are_noticed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    examples = of_folder(photos(tmp_path))
    before = str(examples.fingerprint())
    assert is_unchanged(examples, before)
    picture(tmp_path / "cat" / "0.png", 99)
    assert not is_unchanged(examples, before)
    (tmp_path / "cat" / "0.png").unlink()
    assert not is_unchanged(examples, before)
    assert caplog.text.count("is not reused for others") == 2
    replaced = replace(examples, content=lambda: "kept")
    assert is_unchanged(replaced, str(replaced.fingerprint()))
