"""Batches: contents, order, resizing, and the same again from the same seed."""

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sweeper.config import Digits, Folder
from sweeper.data.batches import Batches, batches, shuffled
from sweeper.data.examples import Examples
from sweeper.data.sources import loading

DIGITS = Digits(source="digits", validation_fraction=0.2, test_fraction=0.2, split_seed=0)


def few(n: int = 50) -> Examples:
    return loading.load(DIGITS).test.select(np.arange(n))


def made(examples: Examples, size: int, batch: int, seed: int | None = None) -> Batches:
    return batches(examples, size, batch, target=lambda labels: labels, shuffle_seed=seed)


def read(dataset: tf.data.Dataset) -> tuple[np.ndarray, np.ndarray]:
    pairs = list(dataset.as_numpy_iterator())
    return np.concatenate([x for x, _ in pairs]), np.concatenate([y for _, y in pairs])


def epoch(pipeline: Batches, number: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return read(pipeline.epochs(number, number + 1))


def test_evaluation_keeps_order_and_the_last_batch():
    examples = few()
    pipeline = made(examples, 8, 16)
    assert (pipeline.images, pipeline.steps) == (50, 4)
    assert [len(y) for _, y in pipeline.dataset.as_numpy_iterator()] == [16, 16, 16, 2]
    assert pipeline.dataset.cardinality() == 4
    for _ in range(2):
        images, labels = read(pipeline.dataset)
        np.testing.assert_array_equal(labels, examples.labels)
        np.testing.assert_array_equal(labels, pipeline.labels)
        np.testing.assert_array_equal(images, np.stack(list(examples.raw().as_numpy_iterator())))
    assert pipeline.dataset.element_spec == (
        tf.TensorSpec((None, 8, 8, 3), tf.float32),
        tf.TensorSpec((None,), tf.int64),
    )


def test_shuffling_keeps_pairs_and_reorders_each_epoch():
    examples = few()
    originals = np.stack(list(examples.raw().as_numpy_iterator())).astype(np.float32)
    known = {x.tobytes(): y for x, y in zip(originals, examples.labels, strict=True)}
    pipeline = made(examples, 8, 16, seed=3)
    orders = []
    for number in range(2):
        images, labels = epoch(pipeline, number)
        assert [known[image.tobytes()] for image in images] == labels.tolist()
        assert len({image.tobytes() for image in images}) == len(known) == 50
        orders.append(images.tobytes())
    assert len({*orders, originals.tobytes()}) == 3


def test_an_epoch_is_the_same_whenever_it_is_trained():
    examples = few()
    whole = list(made(examples, 8, 16, seed=7).epochs(0, 3).as_numpy_iterator())
    assert [len(labels) for _, labels in whole] == [16, 16, 16, 2] * 3
    for first in (1, 2):  # as a trial that continues does
        later = list(made(examples, 8, 16, seed=7).epochs(first, 3).as_numpy_iterator())
        for (images, labels), (again, labels_again) in zip(whole[4 * first :], later, strict=True):
            np.testing.assert_array_equal(images, again)
            np.testing.assert_array_equal(labels, labels_again)


def test_every_seed_has_orders_of_its_own():
    orders = {
        epoch(made(few(), 8, 16, seed), number)[0].tobytes()
        for seed in (7, 8)
        for number in range(3)
    }
    assert len(orders) == 6


def test_the_target_makes_what_the_loss_compares_with():
    examples = few(10)
    pipeline = batches(
        examples,
        8,
        4,
        target=lambda labels: (tf.one_hot(labels, 10), tf.cast(labels, tf.float32)),
        shuffle_seed=None,
    )
    (_, targets, weights), *_ = pipeline.dataset.as_numpy_iterator()
    np.testing.assert_array_equal(targets.argmax(axis=1), examples.labels[:4])
    np.testing.assert_array_equal(weights, examples.labels[:4])


FRESH = """
import hashlib, sys
sys.path.insert(0, {folder!r})
from test_batches import few, made, read
print(hashlib.sha256(read(made(few(), 8, 16, seed=7).epochs(0, 2))[0].tobytes()).hexdigest())
"""


@pytest.mark.more
@pytest.mark.slow
def test_a_fresh_process_repeats_the_batches():
    images, _ = read(made(few(), 8, 16, seed=7).epochs(0, 2))
    here = hashlib.sha256(images.tobytes()).hexdigest()
    program = FRESH.format(folder=str(Path(__file__).parent))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[-1] == here


@pytest.fixture
def two_sizes(tmp_path: Path) -> Examples:
    stripes = np.zeros((60, 90, 3), np.uint8)
    stripes[:, ::2] = 255
    for name, size in (("a", (90, 60)), ("b", (40, 100))):
        (tmp_path / name).mkdir()
        for number in range(2):
            Image.fromarray(stripes).resize(size, 0).save(tmp_path / name / f"{number}.png")
    folder = Folder(
        source="folder",
        path=tmp_path,
        validation_fraction=0.2,
        test_fraction=0.5,
        split_seed=0,
        on_corrupt="error",
    )
    return loading.load(folder).train


def test_images_of_differing_sizes_are_resized_each(two_sizes):
    pipeline = made(two_sizes, 20, 4)
    images, labels = read(pipeline.dataset)
    assert images.shape == (2, 20, 20, 3)
    assert labels.tolist() == [0, 1]
    assert pipeline.dataset.element_spec[0] == tf.TensorSpec((None, 20, 20, 3), tf.float32)


def test_shrinking_averages_instead_of_skipping(two_sizes):
    images, _ = read(made(two_sizes, 20, 4).dataset)
    # stripes of 0 and 255, 4.5 pixels into 1: every pixel saw both
    assert 60 < images[0, 1:-1, 1:-1].min() <= images[0, 1:-1, 1:-1].max() < 200


def test_whole_batches_are_resized_as_single_images_are():
    examples = few(5)
    images, _ = read(made(examples, 20, 2).dataset)
    smaller, _ = read(made(examples, 5, 2).dataset)
    for place, raw in enumerate(examples.raw().as_numpy_iterator()):
        bigger = tf.image.resize(raw, (20, 20))
        np.testing.assert_array_equal(images[place], np.round(bigger))
        small = tf.image.resize(raw, (5, 5), antialias=True)
        np.testing.assert_array_equal(smaller[place], np.round(small))
    assert 0 <= images.min() <= images.max() <= 255


def test_orders_are_what_they_always_were():
    """An interrupted trial continues in the order that it began with."""
    examples = replace(few(10), labels=np.arange(10))
    orders = [epoch(made(examples, 8, 4, seed=7), number)[1].tolist() for number in (0, 1, 5)]
    assert orders == [
        [4, 9, 1, 6, 3, 2, 0, 7, 8, 5],
        [3, 6, 0, 5, 8, 4, 7, 1, 2, 9],
        [0, 3, 1, 4, 5, 2, 7, 9, 6, 8],
    ]
    assert epoch(made(examples, 8, 4, seed=0))[1].tolist() == [0, 8, 1, 3, 6, 2, 9, 4, 5, 7]


@settings(max_examples=15, deadline=None)
@given(
    n=st.integers(1, 60),
    batch=st.integers(1, 9),
    seed=st.none() | st.integers(0, 2**63 - 1),
    number=st.integers(0, 2**40),
)
def test_whatever_is_shuffled_comes_in_the_order_of_the_images(n, batch, seed, number):
    _, labels = epoch(made(replace(few(n), labels=np.arange(n)), 8, batch, seed), number)
    features = tf.data.Dataset.from_tensor_slices(np.arange(n) + 0.5)
    dataset = tf.data.Dataset.range(number, number + 1).flat_map(
        lambda number: shuffled(features, n, seed, number)
    )
    assert [feature - 0.5 for feature in dataset.as_numpy_iterator()] == labels.tolist()


@pytest.mark.parametrize("size", [5, 8, 20])
def test_images_decoded_in_batches_are_those_decoded_one_by_one(size):
    whole = few()
    assert whole.batched
    for seed in (None, 5):
        images, labels = read(made(whole, size, 16, seed).epochs(0, 2))
        one_by_one = made(replace(whole, batched=False), size, 16, seed)
        again, labels_again = read(one_by_one.epochs(0, 2))
        np.testing.assert_array_equal(images, again)
        np.testing.assert_array_equal(labels, labels_again)


# private memory of a process that has begun an epoch, for each image: with few images first, so
# that what is there once is not counted
SHUFFLES = """
import sys
from pathlib import Path
import numpy as np
import tensorflow as tf
from sweeper.data.batches import batches
from sweeper.data.examples import Examples

def private():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon"))

def begun(count):
    def decode(places):
        return tf.zeros((tf.size(places), 4, 4, 3), tf.uint8)

    labels, places = np.ones(count, np.int64), np.arange(count)
    elements = lambda indices: indices
    examples = Examples(labels, places, None, decode, (4, 4), elements=elements, batched=True)
    dataset = batches(examples, 4, 8, target=lambda label: label, shuffle_seed=1).dataset
    iterator = iter(dataset)
    next(iterator)
    return dataset, iterator

few = begun(100)
before = private()
many = begun(int(sys.argv[1]))
print((private() - before) // int(sys.argv[1]))
"""


@pytest.mark.more
@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_shuffle_holds_one_number_of_each_image() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SHUFFLES, "400000"], capture_output=True, text=True, check=True
    )
    # a tensor takes 195 bytes: 420 where the label of each image is held too
    assert int(ended.stdout) < 320, ended.stderr
