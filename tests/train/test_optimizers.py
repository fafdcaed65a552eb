import keras
import pytest

from sweeper.config import Constant, Cosine, Optimizer
from sweeper.train.optimizers import build_optimizer

CONSTANT = Constant(name="constant", warmup_epochs=0)


def rate_at(optimizer: keras.optimizers.Optimizer, step: int) -> float:
    optimizer.iterations.assign(step)
    return float(optimizer.learning_rate)


def test_class_rate_and_keywords_are_the_recipes() -> None:
    settings = Optimizer(name="SGD", learning_rate=9.0, momentum=0.8, nesterov=True)  # type: ignore[call-arg]
    made = build_optimizer(settings, CONSTANT, 0.25, steps_per_epoch=4, epochs=2)
    assert type(made) is keras.optimizers.SGD
    assert (made.momentum, made.nesterov) == (0.8, True)
    assert rate_at(made, 0) == rate_at(made, 7) == 0.25


def test_warm_up_rises_to_the_rate_and_stays() -> None:
    schedule = Constant(name="constant", warmup_epochs=2)
    made = build_optimizer(Optimizer(name="Adam", learning_rate=9.0), schedule, 0.5, 10, 5)
    assert [rate_at(made, step) for step in (0, 10, 20, 49)] == pytest.approx([0, 0.25, 0.5, 0.5])


def test_cosine_falls_to_its_fraction_at_the_phases_end() -> None:
    schedule = Cosine(name="cosine", warmup_epochs=1, final_fraction=0.1)
    made = build_optimizer(Optimizer(name="Adam", learning_rate=9.0), schedule, 0.5, 10, 3)
    rates = [rate_at(made, step) for step in (0, 10, 20, 30)]
    assert rates == pytest.approx([0, 0.5, 0.275, 0.05])
