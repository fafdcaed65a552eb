"""One phase: compile, fit, and after each epoch say how it went and keep where it stands."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from sweeper.advance import OnAdvance, no_advance
from sweeper.config import Phase, Recipe
from sweeper.models.split_model import Weigh
from sweeper.train.evaluation import (
    Evaluation,
    before_training,
    build_accuracy,
    build_loss,
    edge,
)
from sweeper.train.fit.inputs import Inputs
from sweeper.train.fit.judge import Judge, assign, learned_of
from sweeper.train.fit.phase_state import Epoch, PhaseState, Progress
from sweeper.train.optimizers.by_name import averaging, build_optimizer
from sweeper.train.optimizers.schedules import build_rate
from sweeper.train.runtime import numerics

OnEpoch = Callable[[Epoch], None]
"""Called after each epoch; what it raises stops the training."""

OnState = Callable[[PhaseState], None]
"""Called with where a phase stands, after the epochs of which a state is kept."""


class PhaseRun:
    """One phase of a fine-tune.

    It may be stopped after any epoch (by what ``on_epoch`` raises), and run again. Its state is a
    value: a run of the same phase that restores it continues to the same bits, and several runs
    may, each from there on its own.

    Compiling here is what makes a change of ``trainable`` count (Keras 3 fixes it at compile).

    Args:
        inputs: what to train and on what; the model is thawed.
        name: of the phase, ``frozen`` or ``unfrozen``.
        phase: its epochs, rate and schedule.
        recipe: the rest.
        weigh: how much each image counts in the loss, or None.
        multipliers: of the learning rate, one for each trainable variable; None for one rate.
        first_step: number of the phase's first epoch, across phases.
        followed: see :class:`Progress`.
        on_advance: called with how far each epoch is, where it trains on images.
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
        followed: Sequence[Mapping[str, float]] = (),
        on_advance: OnAdvance = no_advance,
    ) -> None:
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
        self._progress = Progress(phase, recipe, followed)
        schedule = phase.schedule or recipe.schedule
        self._rate: Any = build_rate(schedule, phase.learning_rate, train.steps, phase.epochs)
        self._model = model
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
        self._judge = Judge(model, self.evaluation)
        self._logits: NDArray[np.float32] | None = None
        self._on_advance = on_advance

    @property
    def epochs(self) -> Sequence[Epoch]:
        """Those that have ended."""
        return self._progress.epochs

    def state(self) -> PhaseState:
        """Where the phase stands after its last epoch."""
        return self._progress.state(
            model=[np.asarray(variable) for variable in self._model.changing],
            optimizer=[np.asarray(variable) for variable in self._model.optimizer.variables],
        )

    def restore(self, state: PhaseState) -> None:
        """Stand where ``state`` was taken."""
        assign(self._model.changing, state.model)
        assign(self._model.optimizer.variables, state.optimizer)
        self._progress.restore(state)
        self._logits = None
        self._set_rate_factor()

    def untrained(self) -> tuple[float, float]:
        """Loss and accuracy before training; see :func:`before_training`."""
        first_epoch = islice(self._batches, self._train.steps)
        return before_training(self._model, first_epoch, self._one_logit)

    def run(self, on_epoch: OnEpoch, on_state: OnState) -> Epoch:
        """Train to the end of the phase, and leave the weights that it ends with.

        Returns the epoch that these weights are of.
        """
        done = len(self.epochs)
        if not self._progress.done:
            step = self._first_step
            batches = self._batches
            if done:
                batches = self._train.epochs(step + done, step + self._phase.epochs)
            self._model.fit(
                numerics.prefetched(batches),
                steps_per_epoch=self._train.steps,
                initial_epoch=done,
                epochs=self._phase.epochs,
                callbacks=[_EachEpoch(self, on_epoch, on_state)],
                shuffle=False,  # the data set shuffles itself
                verbose=0,
            )
        assign(self._model.learned, self._progress.kept)
        return self._progress.kept_epoch

    @property
    def learned(self) -> list[NDArray[Any]]:
        """The weights of what trained, as they stand."""
        return learned_of(self._model)

    def logits(self) -> NDArray[np.float32]:
        """``[n, units]`` of the validation images, of the weights that the phase ended with."""
        return self.evaluation()[1] if self._logits is None else self._logits

    def before_step(self, step: int) -> None:
        """Report how far the epoch is before this step of it, from 0."""
        if step:
            done = step * self._train.images // self._train.steps
            self._advance("epoch", done, self._train.images)

    def _advance(self, what: str, done: int, total: int) -> None:
        number = self._first_step + len(self.epochs) + 1
        self._on_advance(f"{self._name} {what} {number}", done, total)

    def after_epoch(self, logs: Mapping[str, float], seconds: float, on_state: OnState) -> Epoch:
        """Judge the epoch that was just trained, in so many ``seconds``, with Keras' ``logs``."""
        began = time.monotonic()
        epoch = len(self.epochs)
        found, judged, logits = self._judge(partial(self._advance, "validation"))
        metrics = {key: float(value) for key, value in logs.items()} | found
        metrics |= {
            "learning_rate": self._learning_rate(epoch),
            "epoch_seconds": seconds + time.monotonic() - began,
            "images_per_second": self._train.images / seconds,
            "phase": 0.0 if self._name == "frozen" else 1.0,
        }
        kept = self._progress.judge(metrics)
        self._set_rate_factor()
        if kept:
            self._logits = logits
        last = self._progress.ends_with(epoch)
        ended = Epoch(
            self._first_step + epoch,
            self._name,
            epoch == 0,
            last,
            kept,
            edge(logits, self._validation.labels, self._train.labels),
            metrics,
        )
        self._progress.add(ended, judged)
        if self._every is not None and ((epoch + 1) % self._every == 0 or last):
            on_state(self.state())
        return ended

    def _learning_rate(self, epoch: int) -> float:
        """That of the epoch's last step; the optimizer has that of the next one."""
        last = (epoch + 1) * self._train.steps - 1
        return float(self._rate(last) if callable(self._rate) else self._rate)

    def _set_rate_factor(self) -> None:
        if self._progress.rate_factor is not None:
            self._rate.factor.assign(self._progress.rate_factor)


class _EachEpoch(keras.callbacks.Callback):
    """Lets a run judge each epoch, and stops Keras' loop when the phase is done."""

    def __init__(self, run: PhaseRun, on_epoch: OnEpoch, on_state: OnState) -> None:
        super().__init__()
        self._run, self._on_epoch, self._on_state = run, on_epoch, on_state
        self._began = 0.0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        self._began = time.monotonic()

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        self._run.before_step(batch)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        seconds = time.monotonic() - self._began
        ended = self._run.after_epoch(logs or {}, seconds, self._on_state)
        self._on_epoch(ended)
        if ended.last:
            self.model.stop_training = True
