"""The published recipe on one split of the data: frozen phase, then unfrozen phase."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweeper.config import Recipe
from sweeper.models.build import Classifier
from sweeper.models.split_model import Weigh
from sweeper.train.checkpoint import Checkpoint, Saved
from sweeper.train.inputs import Feed, Inputs, PlannedPhase, planned
from sweeper.train.phases import Epoch, OnEpoch, PhaseRun

log = logging.getLogger(__name__)

OnUntrained = Callable[[float, float], None]
"""Called with loss and accuracy before the first training step; what it raises ends the trial."""


@dataclass(frozen=True)
class Outcome:
    """The epoch whose weights are kept, those that the last phase learned, and what they give.

    That is probabilities and logits ``[n, classes]`` of the validation images, in their order.
    """

    kept: Epoch
    learned: Sequence[NDArray[Any]]
    probabilities: NDArray[np.float32]
    logits: NDArray[np.float32]


@dataclass(frozen=True)
class FineTune:
    """Trains ``classifier`` on what ``feed`` gives, from where ``checkpoint`` stands."""

    recipe: Recipe
    classifier: Classifier
    feed: Feed
    weigh: Weigh | None
    checkpoint: Checkpoint

    def run(self, on_untrained: OnUntrained, on_epoch: OnEpoch) -> Outcome:
        """Train both phases, and leave the classifier with the weights of the outcome.

        ``on_untrained`` is called first, ``on_epoch`` after each epoch, those of the checkpoint
        too.
        """
        phases = planned(self.recipe)
        inputs = self.feed.of(phases[0], 0)
        run = self._phase_run(phases[0], inputs, 0)
        on_untrained(*run.untrained())
        saved = self.checkpoint.load()
        earlier: list[Epoch] = []
        if saved is not None:
            log.info("resumes after epoch %d, where it was interrupted", saved.epochs[-1]["step"])
            earlier = [Epoch(**e) for e in saved.epochs if e["phase"] != saved.phase]
            for epoch in saved.epochs:
                on_epoch(Epoch(**epoch))
        kept = None
        for phase in phases:
            if saved is not None and saved.phase != phase.name:
                continue  # its outcome is in what was saved after it
            if phase is not phases[0]:
                inputs = self.feed.of(phase, len(earlier))
                run = self._phase_run(phase, inputs, len(earlier))
            if saved is not None:
                own = [epoch for epoch in saved.epochs if epoch["phase"] == phase.name]
                run.restore(replace(saved, epochs=own))
                saved = None
            kept = run.run(on_epoch, partial(self._keep, tuple(earlier)))
            earlier += run.epochs
        assert kept is not None
        learned = [variable.numpy() for variable in inputs.model.learned]
        logits, classifier = run.logits(), self.classifier
        return Outcome(
            kept, learned, classifier.probabilities(logits), classifier.class_logits(logits)
        )

    def _phase_run(self, phase: PlannedPhase, inputs: Inputs, first_step: int) -> PhaseRun:
        decay, multipliers = (phase.phase.optimizer or self.recipe.optimizer).layer_decay, None
        if phase.freeze is not None and decay < 1:
            depths = self.classifier.depths(inputs.model.trainable_variables)
            multipliers = [decay**depth for depth in depths]
        return PhaseRun(
            inputs, phase.name, phase.phase, self.recipe, self.weigh, multipliers, first_step
        )

    def _keep(self, before: tuple[Epoch, ...], now: Saved) -> None:
        epochs = [*(vars(epoch) for epoch in before), *now.epochs]
        self.checkpoint.save(replace(now, epochs=epochs))
