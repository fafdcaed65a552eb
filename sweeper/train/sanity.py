"""The loss check: a run whose loss stands far above ln(number of classes) is not to be trusted.

ln(n) is the cross-entropy of an even guess among n classes (ln 2 for one logit). A fresh head
starts near it, and one that learns is below it after an epoch. Far above it the learning rate is
too high, or inputs, labels or weights are not what the network expects.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from sweeper.config import Sanity


class Verdict(StrEnum):
    """Values of the tag ``sanity``."""

    OK = "ok"
    HIGH = "high"
    NAN = "nan"


@dataclass(frozen=True)
class Finding:
    """What the check says of one loss; ``reason`` is empty when all is well."""

    verdict: Verdict = Verdict.OK
    reason: str = ""


class LossCheck:
    """Judges the losses of one trial."""

    def __init__(self, limits: Sanity, n_classes: int) -> None:
        self.log_num_classes = math.log(n_classes)
        self._limits = limits

    def initial(self, loss: float) -> Finding:
        """Judge the loss of the untrained head on a validation batch."""
        return self._judge("initial loss", loss, self._limits.initial_excess)

    def first_epoch(self, phase: str, loss: float) -> Finding:
        """Judge the mean training loss over the first epoch of ``phase``."""
        what = f"loss of the first {phase} epoch"
        return self._judge(what, loss, self._limits.first_epoch_excess)

    def any_epoch(self, step: int, loss: float) -> Finding:
        """Judge a later epoch's loss: only whether it is a number."""
        return self._judge(f"loss of epoch {step}", loss, math.inf)

    def _judge(self, what: str, loss: float, excess: float) -> Finding:
        if not math.isfinite(loss):
            return Finding(Verdict.NAN, f"{what} is {loss}")
        if loss - self.log_num_classes > excess:
            return Finding(
                Verdict.HIGH,
                f"{what} {loss:.4g} is {loss - self.log_num_classes:.4g} above ln(classes) "
                f"{self.log_num_classes:.4g}, limit {excess:g}",
            )
        return Finding()
