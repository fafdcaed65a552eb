"""Fused steps against the ones that Keras writes."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from test_optimizers import RATE, gradients, settings, train, variables

from sweeper.train.optimizers.by_name import build_optimizer
from sweeper.train.optimizers.fused import fused

NAMES = ["Adam", "AdamW"]
KEYWORDS = st.fixed_dictionaries(
    {
        # as float32, which the operation has: Keras takes 1 - beta of the number as written, and
        # for 0.9999 the two differ by a part in 4,000
        "beta_1": st.floats(0, 127 / 128, width=32),
        "beta_2": st.floats(0.5, 1 - 2**-14, width=32),
        "epsilon": st.floats(1e-8, 1e-2),
        "weight_decay": st.sampled_from([0.0, 0.1]),
        "amsgrad": st.booleans(),
    },
    optional={
        "clipnorm": st.just(0.5),
        "use_ema": st.just(True),
        "gradient_accumulation_steps": st.just(2),
    },
)


@pytest.mark.parametrize("name", NAMES)
@given(keywords=KEYWORDS)
@examples(max_examples=15, deadline=None)
def test_it_goes_where_keras_goes(name: str, keywords: dict[str, Any]) -> None:
    mine = build_optimizer(settings(name, **keywords), RATE)
    other = getattr(keras.optimizers, name)(learning_rate=RATE, **keywords)
    ours, theirs = variables(), variables()
    for found, wanted in zip(train(mine, ours), train(other, theirs), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    # a checkpoint of one is one of the other
    for state, expected in zip(mine.variables, other.variables, strict=True):
        assert state.path.split("/")[1:] == expected.path.split("/")[1:]
        np.testing.assert_allclose(state, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_it_is_one_operation_for_each_variable(jit_compile: bool) -> None:
    optimizer, trained = build_optimizer(settings("Adam"), RATE), variables()
    optimizer.build(trained)

    @tf.function(jit_compile=jit_compile)
    def step(first: Any, second: Any) -> None:
        optimizer.apply([first, second])

    for number in range(3):
        step(*gradients(number))
    expected = train(keras.optimizers.Adam(RATE), variables())
    for variable, wanted in zip(trained, expected, strict=True):
        np.testing.assert_allclose(variable, wanted, rtol=1e-5, atol=1e-6)
    graph = step.get_concrete_function(*gradients(0)).graph
    kinds = [operation.type for operation in graph.get_operations()]
    assert kinds.count("ResourceApplyAdam") == 2


def test_others_are_keras_own() -> None:
    assert fused(keras.optimizers.Nadam) is keras.optimizers.Nadam
    assert fused(keras.optimizers.Adam).__name__ == "Adam"
