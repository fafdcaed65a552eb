"""The published recipe on one split of the data: frozen phase, then unfrozen phase."""

import logging
from dataclasses import dataclass, replace
from functools import partial

from sweeper.config import Freeze, Phase, Recipe
from sweeper.data.batches import Batches
from sweeper.models.build import Classifier
from sweeper.models.trainer import Change, Weigh
from sweeper.train.checkpoint import Checkpoint, Saved
from sweeper.train.phases import Epoch, OnEpoch, PhaseRun

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FineTune:
    """Trains ``classifier`` by ``recipe``, from where ``checkpoint`` stands."""

    recipe: Recipe
    classifier: Classifier
    train: Batches
    validation: Batches
    augment: Change | None
    weigh: Weigh | None
    checkpoint: Checkpoint

    def run(self, on_epoch: OnEpoch) -> Epoch:
        """Train both phases; ``on_epoch`` hears every epoch, those of the checkpoint too.

        Returns the epoch whose weights the classifier has at the end.
        """
        saved = self.checkpoint.load()
        earlier: list[Epoch] = []
        if saved is not None:
            log.info("goes on after epoch %d, where it was interrupted", saved.epochs[-1]["step"])
            earlier = [Epoch(**e) for e in saved.epochs if e["phase"] != saved.phase]
            for epoch in saved.epochs:
                on_epoch(Epoch(**epoch))
        kept: Epoch | None = None
        for name, phase, freeze in self._phases():
            if saved is not None and saved.phase != name:
                continue  # its outcome is in what was saved after it
            run = self._phase_run(name, phase, freeze, len(earlier))
            if saved is not None:
                own = [epoch for epoch in saved.epochs if epoch["phase"] == name]
                run.restore(replace(saved, epochs=own))
                saved = None
            kept = run.run(on_epoch, partial(self._keep, tuple(earlier)))
            earlier += run.epochs
        assert kept is not None
        return kept

    def _phases(self) -> list[tuple[str, Phase, Freeze | None]]:
        phases = self.recipe.phases
        both = (("frozen", phases.frozen, None), ("unfrozen", phases.unfrozen, self.recipe.freeze))
        return [(name, phase, freeze) for name, phase, freeze in both if phase is not None]

    def _phase_run(
        self, name: str, phase: Phase, freeze: Freeze | None, first_step: int
    ) -> PhaseRun:
        model = self.classifier.trainer(freeze)
        decay, multipliers = (phase.optimizer or self.recipe.optimizer).layer_decay, None
        if freeze is not None and decay < 1:
            depths = self.classifier.depths(model.trainable_variables)
            multipliers = [decay**depth for depth in depths]
        return PhaseRun(
            model,
            name,
            phase,
            self.recipe,
            self.train,
            self.validation,
            self.augment,
            self.weigh,
            multipliers,
            first_step,
        )

    def _keep(self, before: tuple[Epoch, ...], now: Saved) -> None:
        epochs = [*(vars(epoch) for epoch in before), *now.epochs]
        self.checkpoint.save(replace(now, epochs=epochs))
