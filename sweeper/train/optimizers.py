"""Optimizers by their Keras names, and how their learning rate moves within a phase."""

from typing import Any

from sweeper.config import Constant, Cosine, Optimizer


def build_optimizer(
    optimizer: Optimizer,
    schedule: Constant | Cosine,
    learning_rate: float,
    steps_per_epoch: int,
    epochs: int,
) -> Any:
    """A fresh ``keras.optimizers`` instance for one phase.

    Args:
        optimizer: class name and its keywords; its own learning rate is not used.
        schedule: shape of the learning rate over the phase.
        learning_rate: the phase's rate, reached after the warm-up.
        steps_per_epoch: batches in an epoch.
        epochs: of this phase.
    """
    import keras

    rate: Any = learning_rate
    warmup = schedule.warmup_epochs * steps_per_epoch
    if isinstance(schedule, Cosine) or warmup:
        # alpha = 1 leaves nothing to decay: a constant rate after its warm-up
        rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0 if warmup else learning_rate,
            decay_steps=max(1, epochs * steps_per_epoch - warmup),
            alpha=schedule.final_fraction if isinstance(schedule, Cosine) else 1.0,
            warmup_target=learning_rate if warmup else None,
            warmup_steps=warmup,
        )
    kind = getattr(keras.optimizers, optimizer.name)
    return kind(learning_rate=rate, **optimizer.keywords)
