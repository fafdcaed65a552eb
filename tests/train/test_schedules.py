import itertools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from recipes import recipe

from sweeper.config import Plateau as PlateauSettings
from sweeper.config import Schedule
from sweeper.errors import ConfigError
from sweeper.train.optimizers.schedules import Plateau, PlateauRate, build_rate


def schedule(name: str, **keys: Any) -> Schedule:
    made: Schedule = TypeAdapter(Schedule).validate_python(
        {"name": name, "warmup_epochs": 0, **keys}
    )
    return made


def plateau(**keys: Any) -> PlateauSettings:
    keys = {
        "monitor": "val_loss",
        "factor": 0.1,
        "patience": 2,
        "min_delta": 0.0,
        "min_learning_rate": 0.0,
        **keys,
    }
    return PlateauSettings(name="plateau", warmup_epochs=0, **keys)


def rates_at(rate: Any, steps: Sequence[int]) -> list[float]:
    """The rate after so many steps."""
    return [float(rate(np.int64(step)) if callable(rate) else rate) for step in steps]


def test_a_constant_rate_is_a_number() -> None:
    assert build_rate(schedule("constant"), 0.5, 10, 5) == 0.5


def test_warm_up_rises_to_the_rate_and_stays() -> None:
    rate = build_rate(schedule("constant", warmup_epochs=2), 0.5, 10, 5)
    assert rates_at(rate, [0, 5, 10, 20, 49]) == [0, 0.125, 0.25, 0.5, 0.5]


def test_cosine_falls_to_its_fraction_at_the_phases_end() -> None:
    rate = build_rate(schedule("cosine", warmup_epochs=1, final_fraction=0.1), 0.5, 10, 3)
    assert rates_at(rate, [0, 5, 10, 20, 30]) == pytest.approx([0, 0.25, 0.5, 0.275, 0.05])
    rate = build_rate(schedule("cosine", final_fraction=0.0), 0.5, 10, 2)
    assert rates_at(rate, [0, 10, 20]) == pytest.approx([0.5, 0.25, 0])


def test_a_warm_up_to_the_end_leaves_nothing_to_decay() -> None:
    rate = build_rate(schedule("cosine", warmup_epochs=2, final_fraction=0.0), 0.5, 10, 2)
    assert rates_at(rate, [0, 10, 20]) == [0, 0.25, 0.5]


def test_a_table_changes_between_the_last_step_of_an_epoch_and_the_next() -> None:
    # the 100 epochs of the Xception recipe: 1e-4, from epoch 30 on 1e-5, from 70 on 1e-6
    rate = build_rate(schedule("table", steps=[[30, 0.1], [70, 0.01]]), 1e-4, 7, 100)
    steps = [0, 30 * 7 - 1, 30 * 7, 70 * 7 - 1, 70 * 7, 100 * 7 - 1]
    assert rates_at(rate, steps) == pytest.approx([1e-4, 1e-4, 1e-5, 1e-5, 1e-6, 1e-6])


def test_a_table_after_a_warm_up() -> None:
    rate = build_rate(schedule("table", warmup_epochs=2, steps=[[2, 0.5], [3, 0.25]]), 0.8, 4, 5)
    assert rates_at(rate, [0, 4, 7, 8, 11, 12]) == pytest.approx([0, 0.4, 0.7, 0.4, 0.4, 0.2])


@pytest.mark.parametrize(
    ("steps", "warmup", "wrong"),
    [
        ("[[3,0.1],[3,0.01]]", 0, "must be in ascending order of epochs"),
        ("[[3,2.0]]", 0, "must be <= 1.0, got 2.0"),
        ("[[1,0.1]]", 2, "warms up for 2 epochs, but its first step comes after 1"),
    ],
)
def test_a_table_that_makes_no_sense(steps: str, warmup: int, wrong: str) -> None:
    with pytest.raises(ConfigError, match=wrong):
        recipe("schedule=table", f"schedule.steps={steps}", f"schedule.warmup_epochs={warmup}")


@pytest.mark.parametrize("option", ["constant", "cosine", "table", "plateau"])
def test_every_option_makes_a_rate(option: str) -> None:
    made = recipe(f"schedule={option}", "phases.unfrozen.epochs=100").schedule
    assert rates_at(build_rate(made, 0.5, 3, 100), [0]) == [0.5]


warm = st.integers(0, 3)
schedules = st.one_of(
    st.builds(lambda w: schedule("constant", warmup_epochs=w), warm),
    st.builds(
        lambda w, f: schedule("cosine", warmup_epochs=w, final_fraction=f), warm, st.floats(0, 1)
    ),
    st.builds(
        lambda w, after, parts: schedule(
            "table",
            warmup_epochs=w,
            steps=[[3 + epoch, part] for epoch, part in zip(sorted(after), parts, strict=False)],
        ),
        warm,
        st.sets(st.integers(0, 9), min_size=1, max_size=3),
        st.lists(st.floats(1e-3, 1), min_size=3, max_size=3),
    ),
    st.builds(
        lambda w, lowest: schedule(
            "plateau",
            warmup_epochs=w,
            monitor="val_loss",
            factor=0.5,
            patience=1,
            min_delta=0.0,
            min_learning_rate=lowest,
        ),
        warm,
        st.floats(0, 1),
    ),
)


@settings(max_examples=25, deadline=None)
@given(made=schedules, learning_rate=st.floats(1e-6, 1), steps=st.integers(1, 3))
def test_no_rate_is_above_the_phases_and_the_warm_up_only_rises(
    made: Schedule, learning_rate: float, steps: int
) -> None:
    epochs = 5
    rates = rates_at(build_rate(made, learning_rate, steps, epochs), range(epochs * steps + 1))
    assert all(0 <= rate <= learning_rate * (1 + 1e-6) for rate in rates)
    warmup = made.warmup_epochs * steps
    assert all(before < after for before, after in itertools.pairwise(rates[:warmup]))
    stepped_down = made.name == "table" and made.steps[0][0] == made.warmup_epochs
    assert stepped_down or rates[warmup] == pytest.approx(learning_rate)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_factor_counts_at_once_in_a_compiled_training(jit_compile: bool) -> None:
    rate = build_rate(plateau(), 0.5, 4, 3)
    assert isinstance(rate, PlateauRate)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(
        keras.optimizers.SGD(rate), lambda wanted, got: got * wanted, jit_compile=jit_compile
    )
    kernels = [model.get_weights()[0].item()]
    rates = []

    class Halve(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            kernels.append(model.get_weights()[0].item())
            rates.append(float(model.optimizer.learning_rate))
            rate.factor.assign(rate.factor * 0.5)

    model.fit(np.ones((4, 1)), np.ones((4, 1)), 1, epochs=3, verbose=0, callbacks=[Halve()])
    assert rates == [0.5, 0.25, 0.125]
    assert np.diff(kernels) == pytest.approx([-2, -1, -0.5])  # 4 steps down a slope of 1


def test_steps_are_batches_also_where_gradients_are_accumulated() -> None:
    rate = build_rate(schedule("table", steps=[[1, 0.5], [2, 0.25]]), 0.8, 4, 3)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate, gradient_accumulation_steps=2), "mse")
    seen = []
    note = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: seen.append(float(model.optimizer.learning_rate))
    )
    model.fit(np.ones((4, 1)), np.ones((4, 1)), 1, epochs=3, verbose=0, callbacks=[note])
    assert seen == pytest.approx([0.8, 0.4, 0.2])


def keras_rates(chosen: PlateauSettings, learning_rate: float, values: list[float]) -> list[float]:
    """What Keras' own callback makes of the same epochs."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(learning_rate), "mse")
    callback = keras.callbacks.ReduceLROnPlateau(
        monitor=chosen.monitor,
        factor=chosen.factor,
        patience=chosen.patience,
        mode="max" if chosen.monitor == "val_accuracy" else "min",
        min_delta=chosen.min_delta,
        min_lr=chosen.min_learning_rate,
    )
    callback.set_model(model)
    callback.on_train_begin()
    rates = []
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {chosen.monitor: value})
        rates.append(float(model.optimizer.learning_rate))
    return rates


# few values, so that equal ones and differences of exactly min_delta occur
values_of_epochs = st.lists(st.sampled_from([0.25, 0.5, 0.625, 0.75, 1.0]), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None)
@given(
    monitor=st.sampled_from(["val_accuracy", "val_loss"]),
    factor=st.sampled_from([0.1, 0.5]),
    patience=st.integers(1, 3),
    min_delta=st.sampled_from([0.0, 0.125, 0.25]),
    lowest=st.sampled_from([0.0, 0.003, 0.2]),
    values=values_of_epochs,
    interrupted=st.integers(0, 12),
)
def test_the_plateau_is_that_of_keras_also_through_an_interruption(
    monitor: Any,
    factor: float,
    patience: int,
    min_delta: float,
    lowest: float,
    values: list[float],
    interrupted: int,
) -> None:
    chosen = plateau(
        monitor=monitor,
        factor=factor,
        patience=patience,
        min_delta=min_delta,
        min_learning_rate=lowest,
    )
    watch, rate = Plateau(chosen), build_rate(chosen, 0.1, 1, 20)
    assert isinstance(rate, PlateauRate)
    rates = []
    for epoch, value in enumerate(values):
        if epoch == interrupted:
            state, watch = watch.state(), Plateau(chosen)
            watch.restore(state)
        rate.factor.assign(watch.after_epoch({monitor: value}))
        rates += rates_at(rate, [0])
    assert rates == pytest.approx(keras_rates(chosen, 0.1, values), rel=1e-5)


def test_what_is_not_a_number_is_no_improvement() -> None:
    watch = Plateau(plateau(patience=2, factor=0.5))
    printed = [watch.after_epoch({"val_loss": loss}) for loss in (float("nan"), float("nan"), 1.0)]
    assert printed == [1.0, 0.5, 0.5]
