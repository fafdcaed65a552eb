import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from recipes import recipe

from sweeper.config import Optimizer
from sweeper.errors import ConfigError
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.track.tracker import NullTracker
from sweeper.train.optimizers.by_name import build_optimizer
from sweeper.train.runtime.numerics import compile_options, prefetched, set_up
from sweeper.train.trial import Trial
from sweeper.train.winning_model import keep


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


@pytest.mark.more
def test_a_frozen_phase_in_bfloat16_equals_that_in_float32(tmp_path: Path) -> None:
    short = ("+experiment=digits_lite0", "phases.frozen.epochs=1", "phases.unfrozen=null")
    small = ("image_size=32", "batch_size=128", "augment=none", "head.dropout=0.0")
    values, curves = {}, {}
    for precision in ("float32", "mixed_bfloat16"):
        made = recipe(*short, *small, f"precision={precision}")
        received: list[Mapping[str, float]] = []

        def on_report(*arguments: Any, received: list[Any] = received, **_: Any) -> None:
            received.append(arguments[3])

        paths = TrialPaths(tmp_path / precision)
        (values[precision],) = Trial(made, paths, NullTracker(), on_report, prune_high=True).run()
        curves[precision] = [epoch["loss"] for epoch in received]
        keep(made, paths)
        model = keras.models.load_model(paths.model)
        assert model.output.dtype == "float32"
        assert {weight.dtype for weight in model.trainable_weights} == {"float32"}
        assert (precision == "float32") == (model.layers[1].compute_dtype == "float32")
    assert values["mixed_bfloat16"] == pytest.approx(values["float32"], abs=0.06)
    assert curves["mixed_bfloat16"] == pytest.approx(curves["float32"], rel=0.02)
    assert curves["mixed_bfloat16"] != curves["float32"]


def test_batches_stay_as_they_are_on_a_cpu() -> None:
    dataset = tf.data.Dataset.range(3)
    assert prefetched(dataset) is dataset


PREFETCHED = """
import keras
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
devices = tf.config.list_logical_devices("CPU")
listed = tf.config.list_logical_devices
tf.config.list_logical_devices = lambda kind=None: devices[1:] if kind == "GPU" else listed(kind)
from sweeper.data.batches import plain_options
from sweeper.train.runtime.numerics import prefetched
images = np.random.default_rng(0).random((20, 4), np.float32)
plain = tf.data.Dataset.from_tensor_slices((images, images.sum(1))).batch(8)
plain = plain.with_options(plain_options())
there = prefetched(plain)
for one, other in zip(plain, there, strict=True):
    for a, b in zip(one, other, strict=True):
        assert "CPU:0" in a.device and "CPU:1" in b.device, (a.device, b.device)
        assert np.array_equal(a, b)
results = []
for dataset in (plain, there):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
    history = model.fit(dataset, validation_data=dataset, epochs=3, verbose=0).history
    results.append((history["loss"], history["val_loss"], model.predict(dataset, verbose=0)[0, 0]))
assert results[0] == results[1], results
"""


def test_batches_wait_on_the_device_and_train_alike() -> None:
    # a second logical CPU stands in for the GPU, and devices are made once for a process
    done = subprocess.run(
        [sys.executable, "-c", PREFETCHED], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize(
    ("asked", "gpu", "kept"),
    [("auto", False, False), ("auto", True, True), ("true", False, True), ("false", True, False)],
)
def test_programs_are_kept_where_some_are_compiled(
    monkeypatch: pytest.MonkeyPatch, asked: str, gpu: bool, kept: bool
) -> None:
    called = []
    monkeypatch.setattr("sweeper.train.runtime.numerics.sees_gpu", lambda: gpu)
    monkeypatch.setattr("sweeper.train.runtime.numerics.keep_compiled", lambda: called.append(True))
    set_up(recipe(f"jit_compile={asked}"))
    assert bool(called) is kept
    monkeypatch.undo()
