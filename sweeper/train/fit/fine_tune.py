"""The published recipe on one split of the data: frozen phase, then unfrozen phase."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweeper.advance import OnAdvance, no_advance
from sweeper.config import Recipe
from sweeper.models.build import Classifier
from sweeper.train.fit.checkpoint import Checkpoint, Saved
from sweeper.train.fit.inputs import Feed
from sweeper.train.fit.phase_state import Epoch, PhaseState
from sweeper.train.fit.phases import OnEpoch, PhaseRun
from sweeper.train.fit.stages import PlannedPhase, planned

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
    """Trains ``classifier`` on what ``feed`` gives, from where ``checkpoint`` stands.

    ``followed`` has, by the name of a phase, metrics of an earlier run of it, by which this one
    decides; see :class:`~sweeper.train.fit.phase_state.Progress`. ``on_advance`` is called with how
    far each epoch is, where it trains on images.
    """

    recipe: Recipe
    classifier: Classifier
    feed: Feed
    checkpoint: Checkpoint
    followed: Mapping[str, Sequence[Mapping[str, float]]] = field(default_factory=dict)
    on_advance: OnAdvance = no_advance

    def run(self, on_untrained: OnUntrained, on_epoch: OnEpoch) -> Outcome:
        """Train both phases, and leave the classifier with the weights of the outcome.

        ``on_untrained`` is called first, ``on_epoch`` after each epoch, those of the checkpoint
        too.
        """
        phases = planned(self.recipe)
        number, earlier = 0, tuple[Epoch, ...]()
        saved = self.checkpoint.load()
        if saved is None:
            run = self.start(phases[number], 0)
            untrained = run.untrained()
        else:
            # what earlier phases learned is in what was saved after them
            number = [phase.name for phase in phases].index(saved.phase)
            earlier = tuple(saved.earlier)
            run = self.start(phases[number], len(earlier))
            run.restore(saved.state)
            untrained = saved.untrained
            log.info("resumes after epoch %d, where it was interrupted", run.epochs[-1].step)
        on_untrained(*untrained)
        for epoch in (*earlier, *run.epochs):
            on_epoch(epoch)

        def train(name: str, run: PhaseRun, earlier: Sequence[Epoch]) -> Epoch:
            def save(state: PhaseState) -> None:
                self.checkpoint.save(Saved(name, untrained, earlier, state))

            return run.run(on_epoch, save)

        kept = train(phases[number].name, run, earlier)
        for phase in phases[number + 1 :]:
            earlier = (*earlier, *run.epochs)
            run = self.start(phase, len(earlier))
            kept = train(phase.name, run, earlier)
        logits, classifier = run.logits(), self.classifier
        return Outcome(
            kept, run.learned, classifier.probabilities(logits), classifier.class_logits(logits)
        )

    def start(self, planned: PlannedPhase, first_step: int) -> PhaseRun:
        """A run of one phase from the classifier as it stands; ``first_step`` epochs came before.

        Sets the trainable flags of the network, so another phase's run is of no use after it.
        """
        phase, inputs = planned.phase, self.feed.of(planned, first_step)
        inputs.model.thaw()
        decay, multipliers = (phase.optimizer or self.recipe.optimizer).layer_decay, None
        if planned.freeze is not None and decay < 1:
            depths = self.classifier.depths(inputs.model.trainable_variables)
            multipliers = [decay**depth for depth in depths]
        return PhaseRun(
            inputs,
            planned.name,
            phase,
            self.recipe,
            self.feed.targets.weigh,
            multipliers,
            first_step,
            self.followed.get(planned.name, ()),
            self.on_advance,
        )
