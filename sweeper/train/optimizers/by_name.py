"""Optimizers by their Keras names, with a learning rate of its own for each variable if need be."""

import inspect
import re
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from sweeper import config
from sweeper.train.optimizers.fused import fused
from sweeper.train.optimizers.schedules import Rate


def build_optimizer(
    optimizer: config.Optimizer, rate: Rate, multipliers: Sequence[float] | None = None
) -> keras.optimizers.Optimizer:
    """A fresh instance of a class of ``keras.optimizers``, with a faster step where there is one.

    Args:
        optimizer: class name and its keywords; its own learning rate is not used.
        rate: the learning rate, or how it moves; see :mod:`sweeper.train.optimizers.schedules`.
        multipliers: of the learning rate, one for each trainable variable in the order of
            ``model.trainable_variables``; None for one rate.

    Raises:
        ValueError: Keras refuses a keyword (:func:`check_optimizer` says which), or, when the
            optimizer is built, there are more or fewer variables than multipliers.
    """
    declared = getattr(keras.optimizers, optimizer.name)
    keywords = _as_declared(declared, optimizer.keywords)
    kind = fused(declared)
    if multipliers is None or all(multiplier == 1 for multiplier in multipliers):
        return kind(learning_rate=rate, **keywords)
    layer_wise = type(kind.__name__, (_LayerWise, kind), {"multipliers": tuple(multipliers)})
    return layer_wise(learning_rate=rate, **keywords)


def averaging(optimizer: config.Optimizer, steps: int) -> config.Optimizer:
    """``optimizer`` with an ``ema_momentum`` that suits a phase of ``steps`` steps.

    Left alone it averages over the last tenth of them. Keras' 0.99 reaches back 100 steps: in a
    short training into the network's first ones, with which BatchNorm's statistics do not agree
    (digits from scratch, 108 steps: validation accuracy 0.09, 0.92 over a tenth).
    """
    if not optimizer.use_ema or "ema_momentum" in optimizer.model_fields_set:
        return optimizer
    return optimizer.model_copy(update={"ema_momentum": 1 - 1 / max(10.0, steps / 10)})


def _as_declared(kind: Any, keywords: dict[str, Any]) -> dict[str, Any]:
    """``keywords`` with whole numbers as floats where the class has a float: SGD insists on it."""
    declared = inspect.signature(kind).parameters
    return {
        key: float(value)
        if type(value) is int and isinstance(declared[key].default, float)
        else value
        for key, value in keywords.items()
    }


class _LayerWise:
    """Before an optimizer among the bases: each variable has its share of the learning rate.

    Momentum, moments, clipping, accumulation and averages are the optimizer's own. Weight decay is
    scaled too: it is a share of the rate. ``keras.optimizers.MultiOptimizer``, with an optimizer
    for each rate, would have no learning rate to show, and its ``global_clipnorm`` would look at
    each of them by itself.
    """

    multipliers: tuple[float, ...]
    _share = 1.0

    def build(self, variables: Sequence[keras.Variable]) -> None:
        if len(variables) != len(self.multipliers):
            raise ValueError(
                f"{len(self.multipliers)} multipliers were given for {len(variables)} variables"
            )
        super().build(variables)  # type: ignore[misc]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        share = self.multipliers[self._get_variable_index(variable)]  # type: ignore[attr-defined]
        super().update_step(gradient, variable, learning_rate * share)  # type: ignore[misc]

    def _apply_weight_decay(self, variables: Sequence[keras.Variable]) -> None:
        # optimizers take the rate of the decay from self.learning_rate
        for variable in variables:
            self._share = self.multipliers[self._get_variable_index(variable)]  # type: ignore[attr-defined]
            super()._apply_weight_decay([variable])  # type: ignore[misc]
        self._share = 1.0

    def _get_current_learning_rate(self) -> Any:
        rate = super()._get_current_learning_rate()  # type: ignore[misc]
        return rate if self._share == 1.0 else rate * self._share


def check_optimizer(optimizer: config.Optimizer) -> list[str]:
    """What Keras has against the values of the keywords, one sentence a fault; empty when nothing.

    Whether a keyword exists is known without Keras; whether its value suits is not. Two steps of a
    small variable are made, since few optimizers look at all their keywords before.
    """
    keywords = optimizer.keywords
    together = _refusal(optimizer, keywords)
    if together is None:
        return []
    alone = {key: _refusal(optimizer, {key: value}) for key, value in keywords.items()}
    faults = [
        f"optimizer.{key} is refused by {optimizer.name}, got {keywords[key]!r}: {refusal}"
        for key, refusal in alone.items()
        if refusal is not None
    ]
    names = ", ".join(f"optimizer.{key}" for key in keywords)
    return faults or [f"{names} are refused by {optimizer.name} together: {together}"]


def _refusal(optimizer: config.Optimizer, keywords: dict[str, Any]) -> str | None:
    """What Keras says to ``keywords``, on one line; None when they work."""
    kind = getattr(keras.optimizers, optimizer.name)
    # the recipe's schema sees to it, and while it accumulates an optimizer makes no step
    keywords = {k: v for k, v in keywords.items() if k != "gradient_accumulation_steps"}
    try:
        with tf.device("CPU"):
            made = kind(learning_rate=optimizer.learning_rate, **_as_declared(kind, keywords))
            variable = keras.Variable(tf.ones((2, 2)), name="probe")
            made.build([variable])
            for _ in range(2):
                made.apply([tf.ones((2, 2))])
    except (TypeError, ValueError, AttributeError, ArithmeticError, tf.errors.OpError) as error:
        # TensorFlow puts the operation before and after what it has to say
        shown = re.sub(r"\{\{.*?\}\}|\[Op:.*", "", str(error), flags=re.DOTALL)
        return " ".join(shown.split()) or type(error).__name__
    finite = bool(keras.ops.all(keras.ops.isfinite(variable)))
    return None if finite else "two steps with it make weights that are no finite numbers"
