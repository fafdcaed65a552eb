"""Adam and AdamW whose step is one operation for each variable, instead of two dozen.

Keras writes the step as a row of small operations, each of which reads and writes all weights. On
two CPU cores that is a tenth of a training step of EfficientNet-Lite0, and of the time to trace it.
TensorFlow has the same formula (Kingma and Ba 2015, section 2, the order of computation at its
end) as one kernel, on CPUs, GPUs and in XLA.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import keras
import tensorflow as tf


@cache
def fused(kind: type[keras.optimizers.Optimizer]) -> type[keras.optimizers.Optimizer]:
    """``kind`` with a fused step where there is one, under the same name; else ``kind``."""
    if kind not in (keras.optimizers.Adam, keras.optimizers.AdamW):
        return kind
    return type(kind.__name__, (_FusedAdam, kind), {})


class _FusedAdam:
    """Before Adam among the bases. Clipping, decay, accumulation and averages are Keras' own."""

    def _backend_update_step(
        self, gradients: Sequence[Any], variables: Sequence[keras.Variable], learning_rate: Any
    ) -> None:
        step = tf.cast(self.iterations + 1, tf.float32)  # type: ignore[attr-defined]
        # once for all variables
        self._powers = self.beta_1**step, self.beta_2**step  # type: ignore[attr-defined]
        super()._backend_update_step(gradients, variables, learning_rate)  # type: ignore[misc]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        optimizer: Any = self
        if optimizer.amsgrad or variable.dtype != "float32":
            super().update_step(gradient, variable, learning_rate)  # type: ignore[misc]
            return
        index = optimizer._get_variable_index(variable)
        beta_1_power, beta_2_power = self._powers
        tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(optimizer._momentums[index]),
            v=_handle(optimizer._velocities[index]),
            beta1_power=beta_1_power,
            beta2_power=beta_2_power,
            lr=tf.cast(learning_rate, tf.float32),
            beta1=optimizer.beta_1,
            beta2=optimizer.beta_2,
            epsilon=optimizer.epsilon,
            grad=tf.cast(gradient, tf.float32),
        )


def _handle(variable: Any) -> Any:
    """Of TensorFlow's variable, which Keras hands over itself or wrapped."""
    return (variable.value if isinstance(variable, keras.Variable) else variable).handle
