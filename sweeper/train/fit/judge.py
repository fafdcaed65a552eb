"""How good a model is as it stands, with the weights that are kept where that is the best."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweeper.models.split_model import SplitModel
from sweeper.train.evaluation import Evaluation
from sweeper.train.fit.phase_state import Arrays


class Judge:
    """Judges ``model``, which is compiled, after an epoch.

    Averaged weights are judged and kept; the raw ones continue to train, bit for bit.
    """

    def __init__(self, model: SplitModel, evaluation: Evaluation) -> None:
        self._model, self._evaluation = model, evaluation
        self._averages = _averages(model.optimizer)

    def __call__(
        self, on_images: Callable[[int, int], None]
    ) -> tuple[dict[str, float], Arrays, NDArray[np.float32]]:
        """Metrics, the weights that have them, and the logits ``[n, units]`` that these give."""
        raw = [variable.numpy() for variable, _ in self._averages]
        for variable, average in self._averages:
            variable.assign(average)
        found, logits = self._evaluation(on_images)
        judged = learned_of(self._model)
        assign([variable for variable, _ in self._averages], raw)
        return found, judged, logits


def learned_of(model: SplitModel) -> list[NDArray[Any]]:
    """The weights of what trains, as they stand."""
    return [variable.numpy() for variable in model.learned]


def assign(variables: Sequence[Any], values: Sequence[Any]) -> None:
    """Give each variable its value."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _averages(optimizer: Any) -> list[tuple[Any, Any]]:
    """Trainable variables with their moving averages; none unless the optimizer keeps some."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)  # mixed_float16 wraps it
    if not inner.use_ema:
        return []
    averages = inner._model_variables_moving_average
    return list(zip(inner._trainable_variables, averages, strict=True))
