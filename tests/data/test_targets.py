"""Targets, and weights of the loss, against Keras and scikit-learn."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf
from recipes import composed
from sklearn.utils.class_weight import compute_class_weight

from sweeper.config import Loss
from sweeper.data.augment.mix import mix
from sweeper.data.targets import Targets, class_weights
from sweeper.errors import ConfigError
from sweeper.validation import parse

LABELS = np.array([0, 2, 1, 2, 2])


def loss(class_weight: object = None) -> Loss:
    return Loss.model_validate({"label_smoothing": 0.0, "class_weight": class_weight})


def weighted(written: str) -> DictConfig:
    """A recipe that weights classes as it is written in YAML."""
    return OmegaConf.merge(composed(), {"loss": OmegaConf.create(f"class_weight: {written}")})


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_smoothed_labels_cost_what_keras_makes_of_them(smoothing):
    random = np.random.default_rng(0)
    logits = random.normal(size=(5, 3)).astype(np.float32)
    targets = Targets(3, one_logit=False, label_smoothing=smoothing)(LABELS)
    assert targets.dtype == tf.float32
    assert targets.shape == (5, 3)
    ours = keras.losses.CategoricalCrossentropy(from_logits=True)(targets, logits)
    theirs = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)(
        np.eye(3, dtype=np.float32)[LABELS], logits
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_one_logit_is_smoothed_as_in_keras(smoothing):
    labels = np.array([0, 1, 1])
    logits = np.array([[0.3], [-2.0], [1.0]], np.float32)
    targets = Targets(2, one_logit=True, label_smoothing=smoothing)(labels)
    assert targets.shape == (3, 1)
    np.testing.assert_allclose(targets[:, 0], labels * (1 - smoothing) + smoothing / 2, rtol=1e-6)
    ours = keras.losses.BinaryCrossentropy(from_logits=True)(targets, logits)
    theirs = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=smoothing)(
        labels[:, None], logits
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


WEIGHTS = np.array([0.5, 2.0, 4.0], np.float32)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_an_image_weighs_what_its_class_does_smoothed_or_not(smoothing):
    made = Targets(3, one_logit=False, label_smoothing=smoothing, class_weight=WEIGHTS)
    weights = made.weights(made(LABELS))
    assert weights.dtype == tf.float32
    np.testing.assert_allclose(weights, WEIGHTS[LABELS], rtol=1e-5)
    two = Targets(2, one_logit=True, label_smoothing=smoothing, class_weight=WEIGHTS[:2])
    np.testing.assert_allclose(two.weights(two(np.array([0, 1, 1]))), [0.5, 2.0, 2.0], rtol=1e-5)


def test_without_class_weights_all_weigh_one():
    for made, labels in (
        (Targets(3, one_logit=False), LABELS),
        (Targets(2, one_logit=True), np.array([0, 1])),
    ):
        np.testing.assert_array_equal(made.weights(made(labels)), np.ones(len(labels)))


@settings(max_examples=30, deadline=None)
@given(data=st.data(), one_logit=st.booleans(), smoothing=st.floats(0, 0.9))
def test_weights_of_mixed_targets_are_mixed_weights(data, one_logit, smoothing):
    classes = 2 if one_logit else data.draw(st.integers(2, 5))
    positive = st.floats(0.125, 8, width=32)
    weights = data.draw(st.lists(positive, min_size=classes, max_size=classes))
    labels = data.draw(st.lists(st.integers(0, classes - 1), min_size=2, max_size=6))
    targets = Targets(classes, one_logit, smoothing, np.array(weights, np.float32))
    plain = targets(np.array(labels))
    alone = targets.weights(plain)
    images = tf.reshape(tf.range(len(labels), dtype=tf.float32), [-1, 1, 1, 1])
    images = tf.tile(images, [1, 2, 2, 3])
    seed = tf.constant([1, 2], tf.int64)
    _, mixed = mix(images, plain, seed, 1.0, 0.0)
    # the weights themselves, mixed by the same shares
    _, expected = mix(images, alone[:, tf.newaxis], seed, 1.0, 0.0)
    np.testing.assert_allclose(targets.weights(mixed), expected[:, 0], rtol=2e-3)


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ((3, True), "one logit tells 2 classes apart, got 3"),
        ((3, False, 0.0, np.ones(2, np.float32)), r"class_weight must be \[3\], got shape \[2\]"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, fault):
    with pytest.raises(ValueError, match=fault):
        Targets(*arguments)


def test_units():
    assert Targets(2, one_logit=True).units == 1
    assert Targets(2, one_logit=False).units == 2


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=6))
def test_balanced_weights_are_those_of_scikit_learn(counts):
    labels = np.repeat(np.arange(len(counts)), counts)
    names = [f"class {number}" for number in range(len(counts))]
    ours = class_weights(loss("balanced"), names, labels)
    assert ours is not None
    assert ours.dtype == np.float32
    theirs = compute_class_weight("balanced", classes=np.unique(labels), y=labels)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    assert ours[labels].mean() == pytest.approx(1)


def test_weights_by_name_leave_the_others_at_one():
    ours = class_weights(loss({"dog": 3}), ["cat", "dog", "eel"], LABELS)
    np.testing.assert_array_equal(ours, np.array([1, 3, 1], np.float32))
    assert class_weights(loss(), ["cat", "dog", "eel"], LABELS) is None


def test_every_unknown_name_is_reported_with_the_nearest():
    with pytest.raises(ConfigError) as caught:
        class_weights(loss({"dgo": 2.0, "cat": 2.0, "zzz": 1.5}), ["cat", "dog"], LABELS)
    assert caught.value.faults == (
        "loss.class_weight names 'dgo', which is no class of the data set; did you mean 'dog'?",
        "loss.class_weight names 'zzz', which is no class of the data set",
    )


def test_a_class_without_images_cannot_be_balanced():
    with pytest.raises(ConfigError, match="every class, got none of 'eel'; add some, or set"):
        class_weights(loss("balanced"), ["cat", "dog", "eel"], np.array([0, 1, 0]))


@pytest.mark.parametrize(
    ("written", "names", "expected"),
    [
        ("{3: 2.0}", ["3", "4"], [2, 1]),
        ("{01: 2.0}", ["01", "02"], [2, 1]),
        ("{010: 2.0}", ["010", "10", "9"], [2, 1, 1]),  # YAML reads it as 8
        ("{'010': 2.0}", ["010", "8"], [2, 1]),
        ("{1.10: 2.0}", ["1.10", "1.2"], [2, 1]),
        ("{1e3: 2.0}", ["1e3", "1e4"], [2, 1]),
        ("{-1: 2.0, 1: 3.0}", ["-1", "1"], [2, 3]),
    ],
)
def test_names_that_yaml_reads_as_numbers(written, names, expected):
    read = parse(weighted(written))
    assert class_weights(read.loss, names, np.array([0, 1])).tolist() == expected
    again = yaml.safe_load(yaml.safe_dump(read.model_dump(mode="json", exclude_unset=True)))
    kept = Loss.model_validate(again["loss"])
    assert list(kept.class_weight) == list(read.loss.class_weight)


@pytest.mark.parametrize(
    ("written", "names", "number"),
    [
        ("{01: 2.0}", ["01", "1"], "1"),
        ("{010: 2.0}", ["010", "8"], "8"),
        ("{1.1: 2.0}", ["1.1", "1.10"], "1.1"),
    ],
)
def test_numbers_that_may_mean_several_classes_are_refused(written, names, number):
    read = parse(weighted(written))
    with pytest.raises(ConfigError) as caught:
        class_weights(read.loss, names, np.array([0, 1]))
    (fault,) = caught.value.faults
    assert fault.startswith(
        f"loss.class_weight names {number}, which YAML makes of '{names[0]}' and"
    )
    assert "in quotes" in fault


@pytest.mark.parametrize("word", ["yes", "no", "on", "True", "off"])
def test_truth_values_for_names_are_refused(word):
    with pytest.raises(ConfigError) as caught:
        parse(weighted(f"{{{word}: 2}}"))
    (fault,) = caught.value.faults
    assert fault.startswith(
        "loss.class_weight has a truth value where the name of a class should be"
    )
    assert "put such a name in quotes" in fault
