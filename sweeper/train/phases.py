"""One phase: compile, fit, and after each epoch say how it went and keep where it stands."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from sweeper.config import Phase, Plateau, Recipe
from sweeper.models.split_model import Weigh
from sweeper.train.checkpoint import Saved
from sweeper.train.evaluation import (
    Evaluation,
    before_training,
    build_accuracy,
    build_loss,
    edge,
)
from sweeper.train.inputs import Inputs
from sweeper.train.optimizers.by_name import averaging, build_optimizer
from sweeper.train.optimizers.early_stopping import Best
from sweeper.train.optimizers.schedules import Plateau as PlateauWatch
from sweeper.train.optimizers.schedules import build_rate
from sweeper.train.runtime import numerics


@dataclass(frozen=True)
class Epoch:
    """One epoch as it ended.

    Attributes:
        step: number of the epoch, from 0 across both phases.
        phase: name of its phase.
        first: whether it is the first of its phase.
        last: whether its phase ends with it.
        kept: whether the phase, ended now, would end with its weights.
        edge: how much better than a guess it is; see :func:`sweeper.train.evaluation.edge`.
        metrics: what was measured.
    """

    step: int
    phase: str
    first: bool
    last: bool
    kept: bool
    edge: float
    metrics: Mapping[str, float]


OnEpoch = Callable[[Epoch], None]
"""Called after each epoch; what it raises ends the training."""

Keep = Callable[[Saved], None]
"""Keeps where a phase stands; ``epochs`` are those of the phase."""


class PhaseRun(keras.callbacks.Callback):
    """One phase of a fine-tune, which may begin in its middle, where another one stopped.

    Compiling here is what makes a change of ``trainable`` count (Keras 3 fixes it at compile).

    Args:
        inputs: what to train and on what; trainable flags are set.
        name: of the phase, ``frozen`` or ``unfrozen``.
        phase: its epochs, rate and schedule.
        recipe: the rest.
        weigh: how much each image counts in the loss, or None.
        multipliers: of the learning rate, one for each trainable variable; None for one rate.
        first_step: number of the phase's first epoch, across phases.
    """

    def __init__(
        self,
        inputs: Inputs,
        name: str,
        phase: Phase,
        recipe: Recipe,
        weigh: Weigh | None,
        multipliers: Sequence[float] | None,
        first_step: int,
    ) -> None:
        super().__init__()
        self._name = name
        self._phase = phase
        model, train, one_logit = inputs.model, inputs.train, recipe.head.one_logit
        self._train, self._validation, self._one_logit = train, inputs.validation, one_logit
        self.evaluation = Evaluation(model, inputs.validation, one_logit)
        """Of the model as it stands, on the validation images."""
        self._first_step = first_step
        # made once, since tracing its functions takes time
        self._batches = train.epochs(first_step, first_step + phase.epochs)
        self._every = recipe.checkpoint_epochs
        self._restores = recipe.early_stopping.restore_best
        self._best = Best(recipe.early_stopping)
        schedule = phase.schedule or recipe.schedule
        self._plateau = PlateauWatch(schedule) if isinstance(schedule, Plateau) else None
        self._rate: Any = build_rate(schedule, phase.learning_rate, train.steps, phase.epochs)
        self._trainer = model
        settings = averaging(phase.optimizer or recipe.optimizer, train.steps * phase.epochs)
        optimizer = build_optimizer(settings, self._rate, multipliers)
        model.compile(
            optimizer=optimizer,
            loss=build_loss(one_logit),
            metrics=[build_accuracy(one_logit)],
            jit_compile=False,
            steps_per_execution=inputs.steps_per_execution,
        )
        model.prepare(inputs.augment, weigh, numerics.compile_options(recipe, model))
        model.draw.assign(first_step * train.steps)
        model.optimizer.build(model.trainable_variables)
        self._averages = _averages(model.optimizer)
        self._kept: list[NDArray[Any]] = []
        self._logits: NDArray[np.float32] | None = None
        self.epochs: list[Epoch] = []
        """Those that have ended."""
        self._kept_epoch = 0
        self._began = 0.0

    def restore(self, saved: Saved) -> None:
        """Stand where ``saved`` was made."""
        for variable, value in zip(self._trainer.changing, saved.model, strict=True):
            variable.assign(value)
        for variable, value in zip(self._trainer.optimizer.variables, saved.optimizer, strict=True):
            variable.assign(value)
        self._kept = list(saved.kept)
        self.epochs = [Epoch(**epoch) for epoch in saved.epochs]
        self._kept_epoch = saved.state["kept_epoch"]
        self._best.restore(saved.state["best"])
        if self._plateau is not None:
            self._plateau.restore(saved.state["plateau"])
            self._rate.factor.assign(saved.state["plateau"]["factor"])

    def untrained(self) -> tuple[float, float]:
        """Loss and accuracy before training; see :func:`before_training`."""
        first_epoch = islice(self._batches, self._train.steps)
        return before_training(self._trainer, first_epoch, self._one_logit)

    def run(self, on_epoch: OnEpoch, keep: Keep) -> Epoch:
        """Train to the end of the phase, and leave the weights that it ends with.

        Returns the epoch that these weights are of.
        """
        self._on_epoch, self._keep = on_epoch, keep
        done = len(self.epochs)
        if done < self._phase.epochs and not self._best.done:
            step = self._first_step
            batches = self._batches
            if done:
                batches = self._train.epochs(step + done, step + self._phase.epochs)
            self._trainer.fit(
                numerics.prefetched(batches),
                steps_per_epoch=self._train.steps,
                initial_epoch=done,
                epochs=self._phase.epochs,
                callbacks=[self],
                shuffle=False,  # the data set shuffles itself
                verbose=0,
            )
        for variable, value in zip(self._trainer.learned, self._kept, strict=True):
            variable.assign(value)
        return self.epochs[self._kept_epoch]

    def logits(self) -> NDArray[np.float32]:
        """``[n, units]`` of the validation images, of the weights that the phase ended with."""
        return self.evaluation()[1] if self._logits is None else self._logits

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        self._began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        trained = time.monotonic()
        found, judged, logits = self._judge()
        metrics = {key: float(value) for key, value in (logs or {}).items()} | found
        now = time.monotonic()
        metrics |= {
            "learning_rate": self._learning_rate(epoch),
            "epoch_seconds": now - self._began,
            "images_per_second": self._train.images / (trained - self._began),
            "phase": 0.0 if self._name == "frozen" else 1.0,
        }
        kept = self._best.after_epoch(metrics) or not self._restores
        if kept:
            self._kept, self._kept_epoch, self._logits = judged, epoch, logits
        if self._plateau is not None:
            self._rate.factor.assign(self._plateau.after_epoch(metrics))
        last = epoch + 1 == self._phase.epochs or self._best.done
        ended = Epoch(
            self._first_step + epoch,
            self._name,
            epoch == 0,
            last,
            kept,
            edge(logits, self._validation.labels, self._train.labels),
            metrics,
        )
        self.epochs.append(ended)
        if self._every is not None and ((epoch + 1) % self._every == 0 or last):
            self._keep(self._saved())
        self._on_epoch(ended)
        if self._best.done:
            self._trainer.stop_training = True

    def _judge(self) -> tuple[dict[str, float], list[NDArray[Any]], NDArray[np.float32]]:
        """Metrics, the weights that have them, and the logits that these give.

        Averaged weights are judged and kept; the raw ones go on training, bit for bit.
        """
        raw = [variable.numpy() for variable, _ in self._averages]
        for variable, average in self._averages:
            variable.assign(average)
        found, logits = self.evaluation()
        judged = [variable.numpy() for variable in self._trainer.learned]
        for (variable, _), value in zip(self._averages, raw, strict=True):
            variable.assign(value)
        return found, judged, logits

    def _learning_rate(self, epoch: int) -> float:
        """That of the epoch's last step; the optimizer says that of the next one."""
        last = (epoch + 1) * self._train.steps - 1
        return float(self._rate(last) if callable(self._rate) else self._rate)

    def _saved(self) -> Saved:
        state: dict[str, Any] = {"best": self._best.state(), "kept_epoch": self._kept_epoch}
        if self._plateau is not None:
            state["plateau"] = self._plateau.state()
        return Saved(
            phase=self._name,
            epochs=[asdict(epoch) for epoch in self.epochs],
            state=state,
            model=[np.asarray(variable) for variable in self._trainer.changing],
            kept=self._kept,
            optimizer=[np.asarray(variable) for variable in self._trainer.optimizer.variables],
        )


def _averages(optimizer: Any) -> list[tuple[Any, Any]]:
    """Trainable variables with their moving averages; none unless the optimizer keeps some."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)  # mixed_float16 wraps it
    if not inner.use_ema:
        return []
    averages = inner._model_variables_moving_average
    return list(zip(inner._trainable_variables, averages, strict=True))
