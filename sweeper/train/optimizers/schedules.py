"""How the learning rate moves within a phase: by the step, or by what validation says.

Steps are batches, also where gradients are accumulated over several: Keras 3 hands a schedule the
batches that an optimizer has seen, not its updates.
"""

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import keras
from keras import ops
from keras.optimizers import schedules

from sweeper import config

Rate: TypeAlias = float | schedules.LearningRateSchedule


def build_rate(
    schedule: config.Schedule, learning_rate: float, steps_per_epoch: int, epochs: int
) -> Rate:
    """The learning rate of one phase, a number or a function of the step.

    It warms up along a straight line from 0, and is never above ``learning_rate``.

    Args:
        schedule: its shape.
        learning_rate: the phase's.
        steps_per_epoch: batches in an epoch.
        epochs: of the phase.
    """
    warmup = schedule.warmup_epochs * steps_per_epoch
    if isinstance(schedule, config.Cosine):
        return schedules.CosineDecay(
            initial_learning_rate=0.0 if warmup else learning_rate,
            # at least one: with a warm-up to the end there is nothing left to decay
            decay_steps=max(1, epochs * steps_per_epoch - warmup),
            alpha=schedule.final_fraction,
            warmup_target=learning_rate if warmup else None,
            warmup_steps=warmup,
        )
    rate: Rate = learning_rate
    if isinstance(schedule, config.Table):
        rate = schedules.PiecewiseConstantDecay(
            # Keras changes the value after a boundary, and the first step has number 0
            boundaries=[epoch * steps_per_epoch - 1 for epoch, _ in schedule.steps],
            values=[learning_rate, *(part * learning_rate for _, part in schedule.steps)],
        )
    if warmup:
        rate = WarmUp(rate, warmup)
    if isinstance(schedule, config.Plateau):
        return PlateauRate(rate, min(1.0, schedule.min_learning_rate / learning_rate))
    return rate


def _at(rate: Rate, step: Any) -> Any:
    return rate(step) if callable(rate) else rate


class WarmUp(schedules.LearningRateSchedule):
    """``rate`` times what rises along a straight line from 0 to 1 over ``steps`` steps."""

    def __init__(self, rate: Rate, steps: int) -> None:
        self._rate = rate
        self._steps = steps

    def __call__(self, step: Any) -> Any:
        """The learning rate, a float32 scalar."""
        return _at(self._rate, step) * ops.minimum(ops.cast(step, "float32") / self._steps, 1.0)


class PlateauRate(schedules.LearningRateSchedule):
    """``rate`` times ``factor``, a variable that may be assigned at any time, also while training.

    ``lowest`` is where the product of factors ends. The variable is not among those of the
    optimizer.
    """

    def __init__(self, rate: Rate, lowest: float) -> None:
        self._rate = rate
        self._lowest = lowest
        self.factor = keras.Variable(1.0, dtype="float32", trainable=False, name="plateau_factor")

    def __call__(self, step: Any) -> Any:
        """The learning rate, a float32 scalar."""
        return _at(self._rate, step) * ops.maximum(self.factor, self._lowest)


class Plateau:
    """Says after each epoch what factor the learning rate has from now on.

    As ``keras.callbacks.ReduceLROnPlateau`` without cooldown, but it needs no optimizer, and can be
    restored. What is not a number is no improvement.
    """

    def __init__(self, settings: config.Plateau) -> None:
        self._settings = settings
        self._sign = 1 if config.HIGHER_IS_BETTER[settings.monitor] else -1
        self._factor = 1.0
        self._best = -math.inf
        self._waited = 0

    def after_epoch(self, metrics: Mapping[str, float]) -> float:
        """Called after each epoch; returns the factor of the phase's rate that follows."""
        value = self._sign * metrics[self._settings.monitor]
        if value - self._settings.min_delta > self._best:
            self._best, self._waited = value, 0
        else:
            self._waited += 1
        if self._waited >= self._settings.patience:
            self._factor *= self._settings.factor
            self._waited = 0
        return self._factor

    def state(self) -> dict[str, float]:
        """What :meth:`restore` takes, as plain data."""
        return {"factor": self._factor, "best": self._best, "waited": self._waited}

    def restore(self, state: Mapping[str, float]) -> None:
        """Continue from what :meth:`state` gave."""
        self._factor, self._best = state["factor"], state["best"]
        self._waited = int(state["waited"])
