import random
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from recipes import recipe

from sweeper.config import Optimizer
from sweeper.errors import ConfigError
from sweeper.train.numerics import compile_options, set_up
from sweeper.train.optimizers import build_optimizer


@pytest.fixture(autouse=True)
def plain_process() -> Iterator[None]:
    """Leave nothing of it to the tests that follow."""
    yield
    set_up(recipe())


def drawn() -> list[float]:
    """A number of each generator that a trial may use."""
    layer = keras.layers.Dense(1)
    layer.build((None, 1))
    return [
        random.random(),
        float(np.random.random()),
        float(tf.random.uniform([])),
        float(keras.random.uniform([])),
        float(layer.kernel[0, 0]),
    ]


def test_the_seed_decides_every_random_number() -> None:
    made = {}
    for seed in (1, 2, 1):
        set_up(recipe(f"seed={seed}"))
        made.setdefault(seed, []).append(drawn())
    assert made[1][0] == made[1][1]
    assert all(one != two for one, two in zip(made[1][0], made[2][0], strict=True))


def test_the_number_format_is_the_recipes_and_the_next_trials_its_own() -> None:
    for precision in ("mixed_bfloat16", "float32"):
        set_up(recipe(f"precision={precision}"))
        assert keras.layers.Dense(1).dtype_policy.name == precision


def test_determinism_is_on_while_the_recipe_asks_for_it() -> None:
    def is_on() -> bool:
        tf.random.set_seed(None)
        try:
            tf.random.uniform([])  # has no seed, which determinism does not take
        except RuntimeError:
            return True
        return False

    set_up(recipe("deterministic=true"))
    assert len(set(drawn())) == 5  # these have one
    assert is_on()
    set_up(recipe())
    assert not is_on()


def network(*layers: keras.layers.Layer) -> keras.Model:
    inner = keras.Sequential([keras.Input((4, 4, 3)), *layers])
    return keras.Sequential([keras.Input((4, 4, 3)), inner, keras.layers.Flatten()])


@pytest.mark.parametrize(
    ("asked", "gpus", "deterministic", "compiled"),
    [
        ("auto", 0, False, False),
        ("auto", 1, False, True),
        ("auto", 1, True, False),
        ("true", 0, False, True),
        ("false", 1, False, False),
    ],
)
def test_what_xla_compiles(
    monkeypatch: pytest.MonkeyPatch, asked: str, gpus: int, deterministic: bool, compiled: bool
) -> None:
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"] * gpus)
    made = recipe(f"jit_compile={asked}", f"deterministic={deterministic}")
    assert compile_options(made, network(keras.layers.Conv2D(2, 3))) is compiled


def test_a_layer_that_xla_cannot_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"])
    turning = network(keras.layers.RandomRotation(0.1, name="turn"))
    assert compile_options(recipe(), turning) is False
    assert compile_options(recipe("jit_compile=false"), turning) is False
    with pytest.raises(ConfigError, match="XLA cannot compile turn"):
        compile_options(recipe("jit_compile=true"), turning)


class Network(keras.Model):
    """A subclass, as the models of a trial are."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(2)
        self.logits = keras.layers.Dense(1, dtype="float32")

    def call(self, x: Any) -> Any:
        return self.logits(self.dense(x))


@pytest.mark.parametrize("accumulated", [None, 2])
def test_half_precision_scales_the_loss_and_skips_what_overflows(accumulated: int | None) -> None:
    set_up(recipe("precision=mixed_float16"))
    model = Network()
    settings = Optimizer(
        name="SGD",
        learning_rate=1.0,
        layer_decay=1.0,
        gradient_accumulation_steps=accumulated,
    )
    optimizer = build_optimizer(settings, 0.1, [0.5, 0.5, 1.0, 1.0])
    model.compile(optimizer, "mse", jit_compile=False)
    good, bad = np.ones((2, 3), "float32"), np.full((2, 3), np.inf, "float32")
    wanted = np.ones((2, 1), "float32")

    def fit(images: Any) -> tuple[list[Any], float]:
        for _ in range(accumulated or 1):
            model.train_on_batch(images, wanted)
        return model.get_weights(), float(model.optimizer.dynamic_scale)

    first, scale = fit(good)
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scale == 2**15
    assert float(model.optimizer.learning_rate) == pytest.approx(0.1)
    second, halved = fit(bad)
    assert halved == scale / 2 ** (accumulated or 1)
    for before, after in zip(first, second, strict=True):
        np.testing.assert_array_equal(before, after)
    third, _ = fit(good)
    assert all(np.isfinite(weight).all() for weight in third)
    assert any((before != after).any() for before, after in zip(second, third, strict=True))


def test_the_scaled_loss_gives_the_gradients_of_the_plain_one() -> None:
    # a gradient below float16's smallest number (6e-8), were it not scaled
    moved = {}
    for precision in ("float32", "mixed_float16"):
        set_up(recipe(f"precision={precision}"))
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
        model.compile(
            keras.optimizers.SGD(1e7),
            lambda wanted, got: 1e-8 * keras.ops.cast(got, "float32"),
            jit_compile=False,
        )
        (before,) = model.get_weights()
        model.train_on_batch(np.ones((1, 1), "float32"), np.ones((1, 1), "float32"))
        moved[precision] = (before - model.get_weights()[0]).item()
    assert moved["float32"] == pytest.approx(0.1, rel=1e-3)
    assert moved["mixed_float16"] == pytest.approx(0.1, rel=1e-2)
