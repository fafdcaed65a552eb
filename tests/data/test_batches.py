"""Batches: contents, order, resizing, and the same again from the same seed."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from sweeper.config import Augment, Digits, Folder
from sweeper.data import sources
from sweeper.data.augment import build_augment
from sweeper.data.batches import Batches, batches

DIGITS = Digits(source="digits", validation_fraction=0.2, test_fraction=0.2, split_seed=0)
AUGMENT = Augment(flip="horizontal", rotation=0.1, translation=0.1, zoom=0.1, contrast=0.1)


def few(n: int = 50) -> sources.Examples:
    return sources.load(DIGITS).test.select(np.arange(n))


def epoch(pipeline: Batches) -> tuple[np.ndarray, np.ndarray]:
    read = list(pipeline.dataset.as_numpy_iterator())
    assert len(read) == pipeline.steps
    return np.concatenate([x for x, _ in read]), np.concatenate([y for _, y in read])


def training(examples: sources.Examples, seed: int) -> Batches:
    return batches(examples, 16, 8, shuffle_seed=seed, augment=build_augment(AUGMENT, seed))


def test_evaluation_keeps_order_and_the_last_batch():
    examples = few()
    pipeline = batches(examples, 8, 16, shuffle_seed=None, augment=None)
    assert (pipeline.images, pipeline.steps) == (50, 4)
    assert [len(y) for _, y in pipeline.dataset.as_numpy_iterator()] == [16, 16, 16, 2]
    assert pipeline.dataset.cardinality() == 4
    for _ in range(2):
        images, labels = epoch(pipeline)
        np.testing.assert_array_equal(labels, examples.labels)
        np.testing.assert_array_equal(images, np.stack(list(examples.raw().as_numpy_iterator())))
    assert pipeline.dataset.element_spec == (
        tf.TensorSpec((None, 8, 8, 3), tf.float32),
        tf.TensorSpec((None,), tf.int64),
    )


def test_shuffling_keeps_pairs_and_reorders_each_epoch():
    examples = few()
    originals = np.stack(list(examples.raw().as_numpy_iterator())).astype(np.float32)
    known = {x.tobytes(): y for x, y in zip(originals, examples.labels, strict=True)}
    pipeline = batches(examples, 8, 16, shuffle_seed=3, augment=None)
    orders = []
    for _ in range(2):
        images, labels = epoch(pipeline)
        assert [known[image.tobytes()] for image in images] == labels.tolist()
        assert len({image.tobytes() for image in images}) == len(known) == 50
        orders.append(images.tobytes())
    assert len({*orders, originals.tobytes()}) == 3


def test_same_seed_same_epochs():
    first, second, other = (training(few(), seed) for seed in (7, 7, 8))
    seen = set()
    for _ in range(2):
        images, labels = epoch(first)
        images_again, labels_again = epoch(second)
        np.testing.assert_array_equal(images, images_again)
        np.testing.assert_array_equal(labels, labels_again)
        seen |= {images.tobytes(), epoch(other)[0].tobytes()}
    assert len(seen) == 4


def test_an_iterator_given_up_early_changes_nothing():
    first, second = training(few(), 7), training(few(), 7)
    next(iter(first.dataset))
    epoch(second)
    np.testing.assert_array_equal(epoch(first)[0], epoch(second)[0])


def test_augmentation_differs_between_epochs_and_batches():
    same = few(1).select(np.zeros(32, dtype=np.int64))
    pipeline = training(same, 0)
    images = np.concatenate([epoch(pipeline)[0] for _ in range(2)])
    assert len({image.tobytes() for image in images}) == 64


FRESH = """
import hashlib, sys
sys.path.insert(0, {folder!r})
from test_batches import epoch, few, training
pipeline = training(few(), 7)
print(hashlib.sha256(b"".join(epoch(pipeline)[0].tobytes() for _ in range(2))).hexdigest())
"""


@pytest.mark.slow
def test_a_fresh_process_repeats_the_batches():
    pipeline = training(few(), 7)
    here = hashlib.sha256(b"".join(epoch(pipeline)[0].tobytes() for _ in range(2))).hexdigest()
    program = FRESH.format(folder=str(Path(__file__).parent))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[-1] == here


@pytest.fixture
def two_sizes(tmp_path: Path) -> sources.Examples:
    stripes = np.zeros((60, 90, 3), np.uint8)
    stripes[:, ::2] = 255
    for name, size in (("a", (90, 60)), ("b", (40, 100))):
        (tmp_path / name).mkdir()
        for number in range(2):
            Image.fromarray(stripes).resize(size, 0).save(tmp_path / name / f"{number}.png")
    folder = Folder(
        source="folder", path=tmp_path, validation_fraction=0.2, test_fraction=0.5, split_seed=0
    )
    return sources.load(folder).train


def test_images_of_differing_sizes_are_resized_each(two_sizes):
    pipeline = batches(two_sizes, 20, 4, shuffle_seed=None, augment=None)
    images, labels = epoch(pipeline)
    assert images.shape == (2, 20, 20, 3)
    assert labels.tolist() == [0, 1]
    assert pipeline.dataset.element_spec[0] == tf.TensorSpec((None, 20, 20, 3), tf.float32)


def test_shrinking_averages_instead_of_skipping(two_sizes):
    images, _ = epoch(batches(two_sizes, 20, 4, shuffle_seed=None, augment=None))
    # stripes of 0 and 255, 4.5 pixels into 1: every pixel saw both
    assert 60 < images[0, 1:-1, 1:-1].min() <= images[0, 1:-1, 1:-1].max() < 200


def test_whole_batches_are_resized_as_single_images_are():
    examples = few(5)
    images, _ = epoch(batches(examples, 20, 2, shuffle_seed=None, augment=None))
    smaller, _ = epoch(batches(examples, 5, 2, shuffle_seed=None, augment=None))
    for place, raw in enumerate(examples.raw().as_numpy_iterator()):
        bigger = tf.image.resize(raw, (20, 20))
        np.testing.assert_allclose(images[place], bigger, atol=1e-3)
        small = tf.image.resize(raw, (5, 5), antialias=True)
        np.testing.assert_allclose(smaller[place], small, atol=1e-3)
    assert 0 <= images.min() <= images.max() <= 255
