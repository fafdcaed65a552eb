"""The loss check: a run whose loss stands far above ln(number of classes) is not to be trusted.

ln(n) is the cross-entropy of an even guess among n classes (ln 2 for one logit). A fresh head
starts near it, and one that learns is below it after an epoch. Far above it the learning rate is
too high, or inputs, labels or weights are not what the network expects. A network that is no better
than a guess at the end of a phase is stuck. ``experiments/loss_check`` has how often each limit is
wrong.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sweeper.config import Sanity

LEAST_EDGE = 3.0
"""Standard errors by which a phase must end better than a guess: experiments/loss_check."""


class Verdict(StrEnum):
    """Values of the tag ``sanity``, the worst one last."""

    OK = "ok"
    HIGH = "high"
    STUCK = "stuck"
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
        """Judge the loss before training, as the first training steps see it."""
        return self._judge("initial loss", loss, self._limits.initial_excess)

    def first_epoch(self, phase: str, loss: float, before: float | None = None) -> Finding:
        """Judge the mean training loss over the first epoch of ``phase``.

        Args:
            phase: its name.
            loss: of the epoch.
            before: the loss before training, where this is the first epoch of all. A fresh head on
                large features begins far above ln(n) and comes down from there; what rises is
                trained too fast.
        """
        what = f"loss of the first {phase} epoch"
        limit = self._limits.first_epoch_excess
        if before is None or not before > self.log_num_classes:
            return self._judge(what, loss, limit)
        return self._judge(what, loss, limit, before, "the loss before training")

    def phase_end(self, phase: str, edge: float, metrics: Mapping[str, float]) -> Finding:
        """Judge the epoch that ``phase`` ends with.

        Args:
            phase: its name.
            edge: of the epoch, as :func:`sweeper.train.evaluation.edge` gives it.
            metrics: of the epoch, with ``val_loss`` and ``val_accuracy``.
        """
        if edge >= LEAST_EDGE or math.isnan(edge):
            return Finding()
        return Finding(
            Verdict.STUCK,
            f"the {phase} phase ended no better than a guess: val_loss {metrics['val_loss']:.4g} "
            f"(ln(classes) is {self.log_num_classes:.4g}), val_accuracy "
            f"{metrics['val_accuracy']:.4g}; check the weights, the labels and the learning rate",
        )

    def any_epoch(self, step: int, loss: float) -> Finding:
        """Judge the loss of epoch ``step``, from 0: only whether it is a number."""
        return self._judge(f"loss of epoch {step + 1}", loss, math.inf)

    def _judge(
        self,
        what: str,
        loss: float,
        excess: float,
        reference: float | None = None,
        name: str = "ln(classes)",
    ) -> Finding:
        reference = self.log_num_classes if reference is None else reference
        if not math.isfinite(loss):
            return Finding(Verdict.NAN, f"{what} is {loss}")
        if loss - reference > excess:
            return Finding(
                Verdict.HIGH,
                f"{what} {loss:.4g} is {loss - reference:.4g} above {name} {reference:.4g}, "
                f"limit {excess:g}",
            )
        return Finding()
