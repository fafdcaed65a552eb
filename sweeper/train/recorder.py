"""Where the epochs of one fine-tune go: tracker, loss check, and whoever asked for the trial."""

import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from sweeper.config import OF_EPOCHS, reported
from sweeper.errors import TrialPruned
from sweeper.track.tracker import Tracker, of_fold
from sweeper.train.fit.phase_state import Epoch
from sweeper.train.sanity import Finding, LossCheck, Verdict

log = logging.getLogger(__name__)

SHOWN = ("loss", "accuracy", "val_loss", "val_accuracy")


class Report(Protocol):
    """Tells whoever asked for the trial; may raise TrialPruned.

    ``compared`` says whether ``value`` is one that trials are compared by at this ``step``;
    ``steps`` is how many there are at most, None where ``step`` counts something else than epochs.
    """

    def __call__(
        self,
        value: float,
        step: int,
        phase: str,
        metrics: Mapping[str, float],
        *,
        compared: bool,
        steps: int | None,
    ) -> None: ...


class Recorder:
    """Records one fine-tune.

    Args:
        tracker: where metrics and tags go.
        report: called after each epoch.
        check: judges the losses.
        objectives: what the trial is judged by; the first is reported. Those that every epoch has
            are logged as ``best_<name>`` too, of the epoch whose weights the phase would end with.
        prune_high: whether a loss far above ln(classes) ends the trial (in a study) or is a
            warning (for a person). NaN always ends it.
        fold: number of the fold, whose metrics are logged as ``fold0/loss``; None without folds.
        epochs: how many there are at most, of both phases.
    """

    def __init__(
        self,
        tracker: Tracker,
        report: Report,
        check: LossCheck,
        objectives: Sequence[str],
        prune_high: bool,
        fold: int | None,
        epochs: int | None = None,
    ) -> None:
        self._tracker = tracker
        self._report = report
        self._check = check
        self._judged_by = [name for name in objectives if name in OF_EPOCHS]
        self._objective = reported(objectives)
        self._prune_high = prune_high
        self._fold = fold
        self._of = epochs
        self.epochs: list[Mapping[str, float]] = []
        """Metrics of each epoch, with its ``step``."""
        self.untrained: Mapping[str, float] = {}
        """``loss`` and ``accuracy`` before training."""
        self.verdict = Verdict.OK
        self._first: dict[str, float] = {}
        self._kept: Epoch | None = None

    def on_untrained(self, loss: float, accuracy: float) -> None:
        """Record loss and accuracy before training; raises TrialPruned as the check says."""
        self.untrained = {"loss": loss, "accuracy": accuracy}
        self._first = {
            "sanity.initial_loss": loss,
            "sanity.initial_accuracy": accuracy,
            "sanity.log_num_classes": self._check.log_num_classes,
        }
        finding = self._check.initial(loss)
        if finding.verdict is not Verdict.OK:
            self._tracker.log_metrics(of_fold(self._first, self._fold), 0)
            self._first = {}
        self._act_on(finding, ends=True)

    def on_epoch(self, epoch: Epoch) -> None:
        """Record an epoch; raises TrialPruned where it is to be the last one."""
        self.epochs.append({"step": epoch.step, **epoch.metrics})
        if epoch.kept:
            self._kept = epoch
        assert self._kept is not None
        # MLflow's pages show metrics in the order of their first values: what counts comes first
        best = {f"best_{name}": self._kept.metrics[name] for name in self._judged_by}
        metrics = {**best, **epoch.metrics}
        loss = metrics["loss"]
        if epoch.first:
            metrics[f"sanity.{epoch.phase}_first_epoch_loss"] = loss
            before = self.untrained.get("loss") if epoch.step == 0 else None
            finding = self._check.first_epoch(epoch.phase, loss, before)
        else:
            finding = self._check.any_epoch(epoch.step, loss)
        if self._fold == 0:  # the mean over folds, known later, would stand behind those of each
            self._tracker.log_metrics(best, epoch.step)
        # before the study knows of it: no epoch shall be missing here when the process is killed
        self._tracker.log_epoch(metrics | self._first, epoch.step, epoch.phase, self._fold)
        self._first = {}
        shown = {key: epoch.metrics[key] for key in SHOWN}
        phase = epoch.phase if self._fold is None else f"fold {self._fold} {epoch.phase}"
        of = f" of {self._of}" if self._of else ""
        log.info("%s epoch %d%s: %s", phase, epoch.step + 1, of, shown)
        value = metrics[self._objective]
        self._report(value, epoch.step, phase, shown, compared=self._fold is None, steps=self._of)
        self._act_on(finding, ends=True)
        if epoch.last:
            found = self._check.phase_end(phase, self._kept.edge, self._kept.metrics)
            self._act_on(found, ends=False)

    def _act_on(self, finding: Finding, *, ends: bool) -> None:
        if finding.verdict is Verdict.OK:
            return
        self.verdict = finding.verdict
        self._tracker.set_tags({"sanity": finding.verdict, "sanity.reason": finding.reason})
        log.warning("loss check: %s", finding.reason)
        if ends and (self._prune_high or finding.verdict is Verdict.NAN):
            raise TrialPruned(f"loss check: {finding.reason}")
