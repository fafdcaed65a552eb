from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from omegaconf import OmegaConf
from recipes import recipe

from sweeper import keras_api
from sweeper.config import Optimizer
from sweeper.paths import conf_dir
from sweeper.train.optimizers.by_name import averaging, build_optimizer, check_optimizer
from sweeper.train.optimizers.fused import fused

NAMES = keras_api.optimizer_names()
RATE = 0.01


def settings(name: str, **keywords: Any) -> Optimizer:
    values = {"name": name, "learning_rate": 9.0, "layer_decay": 1.0, **keywords}
    return Optimizer.model_validate(values)


def variables() -> list[keras.Variable]:
    start = np.linspace(-1, 1, 12, dtype="float32").reshape(4, 3)
    return [keras.Variable(start, name="first"), keras.Variable(start + 0.1, name="second")]


def gradients(step: int) -> list[Any]:
    generator = np.random.default_rng(step)
    return [keras.ops.convert_to_tensor(generator.normal(size=(4, 3)), "float32") for _ in "ab"]


def train(
    optimizer: Any, trained: Sequence[keras.Variable], steps: Sequence[int] = (0, 1, 2)
) -> list[NDArray[Any]]:
    """Values of ``trained`` after ``steps``."""
    if not optimizer.built:
        optimizer.build(trained)
    for step in steps:
        optimizer.apply(gradients(step))
    return [variable.numpy() for variable in trained]


def test_class_rate_and_keywords_are_the_recipes() -> None:
    made = build_optimizer(settings("SGD", momentum=0.8, nesterov=True, clipnorm=2.0), 0.25)
    assert type(made) is keras.optimizers.SGD
    assert (made.momentum, made.nesterov, made.clipnorm) == (0.8, True, 2.0)
    assert float(made.learning_rate) == 0.25


def test_a_whole_number_does_for_a_keyword_that_keras_wants_as_float() -> None:
    assert build_optimizer(settings("SGD", momentum=0), 0.1).momentum == 0.0


@pytest.mark.parametrize("name", NAMES)
def test_each_variable_learns_at_its_own_rate(name: str) -> None:
    # clipped and decayed, step after step: as an optimizer with that rate alone would do
    optimizer = settings(name, clipnorm=1.0, weight_decay=0.5)
    layer_wise = train(build_optimizer(optimizer, RATE, [1.0, 0.5]), variables())
    whole = train(build_optimizer(optimizer, RATE), variables())
    half = train(build_optimizer(optimizer, RATE * 0.5), variables())
    np.testing.assert_allclose(layer_wise[0], whole[0], rtol=1e-6)
    np.testing.assert_allclose(layer_wise[1], half[1], rtol=1e-6)
    assert not np.allclose(whole[1], half[1], rtol=1e-4)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_half_the_rate_is_half_the_way(name: str) -> None:
    start = [variable.numpy() for variable in variables()]
    moved = {
        multiplier: train(
            build_optimizer(settings(name), RATE, [1.0, multiplier]), variables(), steps=[0]
        )
        for multiplier in (0.5, 0.25)
    }
    np.testing.assert_array_equal(moved[0.5][0], moved[0.25][0])
    np.testing.assert_allclose(moved[0.5][1] - start[1], 2 * (moved[0.25][1] - start[1]), rtol=1e-3)


def test_one_rate_for_all_is_the_plain_class() -> None:
    assert type(build_optimizer(settings("SGD"), RATE, [1.0, 1.0])) is keras.optimizers.SGD
    assert type(build_optimizer(settings("Adam"), RATE, [1.0, 1.0])) is fused(keras.optimizers.Adam)


def test_the_learning_rate_that_is_shown_is_that_of_the_phase() -> None:
    made = build_optimizer(settings("AdamW"), RATE, [1.0, 0.5])
    train(made, variables())
    assert float(made.learning_rate) == pytest.approx(RATE)


def test_the_global_norm_is_that_of_all_variables() -> None:
    start = [variable.numpy() for variable in variables()]
    made = build_optimizer(settings("SGD", global_clipnorm=0.1), RATE, [1.0, 0.5])
    end = train(made, variables(), steps=[0])
    first, second = (np.asarray(gradient) for gradient in gradients(0))
    scale = 0.1 / np.sqrt((first**2).sum() + (second**2).sum())
    np.testing.assert_allclose(start[0] - end[0], RATE * scale * first, atol=1e-7)
    np.testing.assert_allclose(start[1] - end[1], RATE * 0.5 * scale * second, atol=1e-7)


def test_gradients_are_accumulated_before_a_step() -> None:
    made = build_optimizer(settings("SGD", gradient_accumulation_steps=2), RATE, [1.0, 0.5])
    trained = variables()
    start = [variable.numpy() for variable in trained]
    np.testing.assert_array_equal(train(made, trained, steps=[0]), start)
    end = train(made, trained, steps=[1])
    for number, multiplier in enumerate((1.0, 0.5)):
        mean = (np.asarray(gradients(0)[number]) + np.asarray(gradients(1)[number])) / 2
        np.testing.assert_allclose(start[number] - end[number], RATE * multiplier * mean, atol=1e-7)


def test_the_average_of_the_weights_is_kept() -> None:
    made = build_optimizer(settings("SGD", use_ema=True, ema_momentum=0.5), RATE, [1.0, 0.5])
    trained = variables()
    first = train(made, trained, steps=[0])
    second = train(made, trained, steps=[1])
    made.finalize_variable_values(trained)
    for variable, before, after in zip(trained, first, second, strict=True):
        np.testing.assert_allclose(variable.numpy(), (before + after) / 2, rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_restored_continues_bit_for_bit(name: str) -> None:
    optimizer = settings(name, gradient_accumulation_steps=2, use_ema=True, global_clipnorm=1.0)
    straight = train(build_optimizer(optimizer, RATE, [1.0, 0.5]), variables(), range(5))
    trained, made = variables(), build_optimizer(optimizer, RATE, [1.0, 0.5])
    train(made, trained, range(3))
    again, restored = variables(), build_optimizer(optimizer, RATE, [1.0, 0.5])
    restored.build(again)
    for ours, theirs in ((again, trained), (restored.variables, made.variables)):
        for variable, value in zip(ours, theirs, strict=True):
            variable.assign(value)
    np.testing.assert_array_equal(train(restored, again, range(3, 5)), straight)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_multipliers_hold_in_a_compiled_training(jit_compile: bool) -> None:
    images, targets = np.ones((8, 3), "float32"), np.ones((8, 2), "float32")

    def product(wanted: Any, got: Any) -> Any:
        return keras.ops.mean(wanted * got)  # its gradient depends on no weight

    def trained(multipliers: list[float] | None, rate: float) -> Any:
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        optimizer = build_optimizer(
            settings("Adam", gradient_accumulation_steps=2, clipnorm=1.0), rate, multipliers
        )
        model.compile(optimizer, product, jit_compile=jit_compile)
        model.fit(images, targets, batch_size=2, epochs=2, verbose=0)
        return model

    kernel, bias = trained([0.5, 1.0], RATE).get_weights()
    half_kernel, half_bias = trained(None, RATE * 0.5).get_weights()
    np.testing.assert_allclose(kernel, half_kernel, rtol=1e-5)
    np.testing.assert_allclose(bias, 2 * half_bias, rtol=1e-5)


@pytest.mark.parametrize("count", [1, 3])
def test_there_is_one_multiplier_for_each_variable(count: int) -> None:
    made = build_optimizer(settings("Adam"), RATE, [0.5] * count)
    with pytest.raises(ValueError, match=f"{count} multipliers were given for 2 variables"):
        made.build(variables())


OPTIONS = sorted(path.stem for path in (conf_dir() / "optimizer").glob("*.yaml"))


def option(stem: str) -> Optimizer:
    return Optimizer.model_validate(
        OmegaConf.to_object(OmegaConf.load(conf_dir() / "optimizer" / f"{stem}.yaml"))
    )


@pytest.mark.parametrize("stem", OPTIONS)
def test_every_option_is_one_that_keras_takes(stem: str) -> None:
    assert check_optimizer(option(stem)) == []
    assert option(stem).layer_decay == 1


def test_every_optimizer_has_an_option() -> None:
    assert sorted(option(stem).name for stem in OPTIONS) == NAMES
    assert recipe("optimizer=lion").optimizer == option("lion")


@pytest.mark.parametrize(
    ("name", "keywords", "starts"),
    [
        ("SGD", {"momentum": 2}, ["optimizer.momentum is refused by SGD, got 2: "]),
        ("AdamW", {"weight_decay": None}, ["optimizer.weight_decay is refused by AdamW, got None"]),
        ("RMSprop", {"momentum": "high"}, ["optimizer.momentum is refused by RMSprop, got 'high'"]),
        ("Adam", {"beta_2": 1.5}, ["optimizer.beta_2 is refused by Adam, got 1.5: two steps"]),
        (
            "Ftrl",
            {"initial_accumulator_value": -1.0, "beta": 0.1, "learning_rate_power": 1.0},
            ["optimizer.initial_accumulator_value is", "optimizer.learning_rate_power is"],
        ),
        ("Adam", {"beta_1": "a", "gradient_accumulation_steps": 4}, ["optimizer.beta_1 is"]),
        ("SGD", {"momentum": 0, "nesterov": True, "use_ema": True}, []),
    ],
)
def test_values_that_keras_refuses(name: str, keywords: Any, starts: list[str]) -> None:
    faults = check_optimizer(settings(name, **keywords))
    assert len(faults) == len(starts)
    assert all(fault.startswith(start) for fault, start in zip(faults, starts, strict=True))
    assert all("\n" not in fault and "{" not in fault for fault in faults)


def test_values_that_keras_refuses_together() -> None:
    both = Optimizer.model_construct(name="SGD", learning_rate=0.1, clipnorm=1.0, clipvalue=1.0)
    (fault,) = check_optimizer(both)
    assert fault.startswith("optimizer.clipnorm, optimizer.clipvalue are refused by SGD together")


@pytest.mark.parametrize(("steps", "momentum"), [(20, 0.9), (1000, 0.99), (10_000, 0.999)])
def test_averages_reach_back_a_tenth_of_the_phase(steps: int, momentum: float) -> None:
    plain = recipe("+optimizer.use_ema=true").optimizer
    assert averaging(plain, steps).keywords["ema_momentum"] == pytest.approx(momentum)
    asked = recipe("+optimizer.use_ema=true", "+optimizer.ema_momentum=0.5").optimizer
    assert averaging(asked, steps) == asked
    none = recipe().optimizer
    assert averaging(none, steps) == none
