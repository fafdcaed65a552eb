"""The word for a network: another one for other numbers, the same for all else."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
from networks import freeze_config, head_config, tiny_backbone

from sweeper.models.build import attach_head
from sweeper.models.network_hash import fingerprint
from sweeper.models.pretrained import lite0


def made(
    *, dropout: float = 0.3, epsilon: float = 1e-3, dtype: str = "float32", pad: str = "same"
) -> keras.Model:
    """Layers without names of ours: Keras counts them up from network to network."""
    keras.utils.set_random_seed(0)
    images = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, padding=pad, dtype=dtype)(images)
    branch = keras.layers.BatchNormalization(epsilon=epsilon, momentum=0.9)(x)
    if dropout:
        branch = keras.layers.Dropout(dropout)(branch)
    return keras.Model(images, keras.layers.Subtract()([x, branch]))


def swapped() -> keras.Model:
    """The same layers and weights as :func:`made`, connected the other way round."""
    model = made()
    first, second = model.layers[1], model.layers[-2]
    return keras.Model(model.input, keras.layers.Subtract()([second.output, first.output]))


def changed(which: int) -> keras.Model:
    model = made()
    weight = model.weights[which]
    values = weight.numpy()
    values.flat[-1] = np.nextafter(values.flat[-1], np.float32(9))
    weight.assign(values)
    return model


def frozen() -> keras.Model:
    model = made()
    model.trainable = False
    return model


def test_names_flags_and_dropout_do_not_count() -> None:
    word = fingerprint(made())
    for other in (made(), made(dropout=0.9), made(dropout=0.0), frozen()):
        assert fingerprint(other) == word
    assert made().layers[1].name != made().layers[1].name


@pytest.mark.parametrize(
    "other",
    [
        *(lambda which=which: changed(which) for which in range(6)),
        lambda: made(epsilon=1e-4),
        lambda: made(pad="valid"),
        lambda: made(dtype="mixed_bfloat16"),
        swapped,
    ],
)
def test_whatever_changes_numbers_counts(other: Callable[[], keras.Model]) -> None:
    assert fingerprint(other()) != fingerprint(made())


def test_each_cut_and_each_pooling_has_a_hash_of_its_own() -> None:
    backbone = tiny_backbone()
    words = []
    for pooling in ("avg", "max", "flatten"):
        classifier = attach_head(backbone, head_config(pooling=pooling), 3)
        words += [
            fingerprint(classifier.split_model(freeze_config(unfreeze_blocks=k)).split()[0])
            for k in (0, 1, 2)
        ]
    # pooling ends what is frozen only where nothing is unfrozen
    assert len(set(words)) == 5


def test_stochastic_depth_does_not_count_in_a_real_network() -> None:
    words = set()
    for rate in (0.0, 0.2, 0.4):
        keras.utils.set_random_seed(0)
        images = keras.Input((32, 32, 3))
        model = lite0.efficientnet_lite0(images, rate)
        for number, weight in enumerate(model.weights):
            weight.assign(np.full(weight.shape, 1 + number))
        words.add(fingerprint(model))
    assert len(words) == 1
