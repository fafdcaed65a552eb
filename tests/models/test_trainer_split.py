"""A trainer in two parts: what never changes, and what is trained on what that one gives."""

from typing import Any

import keras
import numpy as np
import pytest
from networks import freeze_config, head_config, one_step, random_images

from sweeper.models.build import attach_head


@pytest.mark.parametrize("pooling", ["avg", "max", "flatten"])
@pytest.mark.parametrize("unfrozen", [0, 1, 2])
def test_the_parts_together_are_the_whole(pooling: str, unfrozen: int, tiny: keras.Model) -> None:
    images: Any = random_images(8)
    classifier = attach_head(tiny, head_config(pooling=pooling, batch_norm=True, hidden=5), 3)
    whole = classifier.trainer(freeze_config(unfreeze_blocks=unfrozen))
    parts = whole.split()
    assert parts is not None
    prefix, rest = parts
    expected = (
        {"avg": (4,), "max": (4,), "flatten": (8, 8, 4)}[pooling] if unfrozen == 0 else (8, 8, 4)
    )
    given = np.asarray(prefix(images, training=False))
    assert given.shape == (4, *expected)
    assert rest.frozen is None
    # the same variables in the same order: a checkpoint of one is one of the other
    draws = (whole.draw, rest.draw)
    mine = [id(v) for v in rest.changing if v is not draws[1]]
    assert mine == [id(v) for v in whole.changing if v is not draws[0]]
    assert [id(v) for v in rest.learned] == [id(v) for v in whole.learned]
    before = [weight.numpy() for weight in prefix.weights]
    np.testing.assert_allclose(rest(given), whole(images), rtol=1e-5, atol=1e-6)
    trained = {id(weight) for weight in whole.trainable_variables}
    assert {id(weight) for weight in rest.trainable_variables} == trained
    one_step(rest, given)
    np.testing.assert_allclose(rest(given), whole(images), rtol=1e-5, atol=1e-6)
    for weight, value in zip(prefix.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_without_a_frozen_part_there_is_nothing_to_split(tiny: keras.Model) -> None:
    classifier = attach_head(tiny, head_config(), 3)
    assert classifier.trainer(freeze_config(unfreeze_blocks="all")).split() is None
