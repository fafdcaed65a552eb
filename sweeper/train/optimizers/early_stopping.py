"""Which epoch of a phase was best, and when to wait no longer for a better one."""

import math
from collections.abc import Mapping
from typing import Any

from sweeper.config import HIGHER_IS_BETTER, EarlyStopping


class Best:
    """The best epoch of one phase so far, by ``early_stopping.monitor``.

    Of equals the later one: where accuracy stands still, the loss mostly keeps falling.
    """

    def __init__(self, settings: EarlyStopping) -> None:
        self._settings = settings
        self._sign = 1 if HIGHER_IS_BETTER[settings.monitor] else -1
        self._value = -math.inf
        self._mark = -math.inf
        """What ``min_delta`` is measured from."""
        self._waited = 0

    def after_epoch(self, metrics: Mapping[str, float]) -> bool:
        """Called after each epoch; returns whether it is the best so far."""
        value = self._sign * metrics[self._settings.monitor]
        if math.isnan(value):
            value = -math.inf
        if value - self._mark > self._settings.min_delta:
            self._mark, self._waited = value, 0
        else:
            self._waited += 1
        best = value >= self._value
        if best:
            self._value = value
        return best

    @property
    def done(self) -> bool:
        """Whether ``patience`` epochs in a row were no better."""
        patience = self._settings.patience
        return patience is not None and self._waited >= patience

    def state(self) -> dict[str, Any]:
        """What :meth:`restore` takes, as plain data."""
        return {"value": self._value, "mark": self._mark, "waited": self._waited}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state` gave."""
        self._value, self._mark = state["value"], state["mark"]
        self._waited = state["waited"]
