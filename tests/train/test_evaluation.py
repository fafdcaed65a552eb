"""What is measured before training, and whether a network is better than a guess."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sweeper.data.batches import Batches
from sweeper.models.split_model import SplitModel
from sweeper.train.evaluation import before_training, edge
from sweeper.train.sanity import LEAST_EDGE

CLASSES = 5


def head(size_of_features: float) -> tuple[SplitModel, Batches]:
    """A fresh head with BatchNormalization, and a batch of features of that size."""
    keras.utils.set_random_seed(0)
    features = keras.Input((64,))
    x = keras.layers.BatchNormalization()(features)
    x = keras.layers.Dropout(0.2)(x)
    model = SplitModel(None, None, keras.Model(features, keras.layers.Dense(CLASSES)(x)))
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, 64)
    values = (size_of_features * (1 + rng.normal(size=(64, 64)))).astype(np.float32)
    targets = np.eye(CLASSES, dtype=np.float32)[labels]

    def epoch(_number: object) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices((values, targets)).batch(32)

    return model, Batches(labels, 64, 2, epoch)


@pytest.mark.parametrize("size_of_features", [0.1, 1.0, 30.0])
def test_the_loss_before_training_does_not_depend_on_how_large_features_are(
    size_of_features: float,
) -> None:
    model, examples = head(size_of_features)
    loss, accuracy = before_training(model, examples.epochs(0, 1), False)
    assert 0 < loss - math.log(CLASSES) < 1
    assert 0 <= accuracy < 0.5


def test_measuring_changes_nothing() -> None:
    model, examples = head(1.0)
    before = [variable.numpy() for variable in model.changing]
    before_training(model, examples.epochs(0, 1), False)
    for variable, value in zip(model.changing, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


def labels_of(counts: list[int]) -> NDArray[np.int64]:
    return np.repeat(np.arange(len(counts)), counts)


COUNTS = st.lists(st.integers(1, 40), min_size=2, max_size=8)


@settings(max_examples=50)
@given(COUNTS, st.data())
def test_who_predicts_the_same_of_every_image_is_no_better_than_a_guess(
    counts: list[int], data: st.DataObject
) -> None:
    labels = labels_of(counts)
    one = data.draw(st.lists(st.floats(-9, 9), min_size=len(counts), max_size=len(counts)))
    noise = np.random.default_rng(0).normal(scale=1e-5, size=(len(labels), len(counts)))
    logits = (np.array(one) + noise).astype(np.float32)
    assert edge(logits, labels, labels) < LEAST_EDGE


def test_who_knows_a_few_images_is_better_than_a_guess() -> None:
    labels = labels_of([60] * 10)
    logits = np.random.default_rng(0).normal(size=(600, 10)).astype(np.float32)
    assert edge(logits, labels, labels) < LEAST_EDGE
    logits[::5] += 3 * np.eye(10, dtype=np.float32)[labels[::5]]
    assert edge(logits, labels, labels) > LEAST_EDGE


def test_weighted_classes_may_cost_accuracy() -> None:
    # 95 of 100 images are of one class; the network names the other one too often, as it was asked
    labels = labels_of([190, 10])
    logits = np.where(labels == 1, 2.0, -0.5)[:, None].astype(np.float32)
    logits[:40] = 0.5
    assert np.mean((logits[:, 0] > 0) == labels) < 0.95
    assert edge(logits, labels, labels) > LEAST_EDGE


def test_logits_that_are_no_numbers_have_no_edge() -> None:
    assert math.isnan(
        edge(np.full((4, 2), np.nan, np.float32), labels_of([2, 2]), labels_of([2, 2]))
    )
