"""What is compared: numbers of trials and epochs, and the same search space for everyone."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """A sweep; ``epochs`` of the frozen and of the unfrozen phase, 0 for no such phase.

    ``ours`` and ``tutorial`` are the same space, in the keys of either application.
    """

    trials: int
    epochs: tuple[int, int]
    ours: tuple[str, ...]
    tutorial: tuple[str, ...]


SWEEPS = {
    "frozen_sweep": Plan(
        trials=20,
        epochs=(10, 0),
        ours=(
            "optimizer.learning_rate=tag(log, interval(2e-3, 1e-2))",
            "head.dropout=interval(0.1, 0.5)",
        ),
        tutorial=(
            "learning_rate=tag(log, interval(2e-3, 1e-2))",
            "dropout=interval(0.1, 0.5)",
        ),
    ),
    "two_phase_sweep": Plan(
        trials=12,
        epochs=(6, 4),
        ours=(
            "optimizer.learning_rate=tag(log, interval(2e-3, 1e-2))",
            "head.dropout=interval(0.1, 0.5)",
            "phases.unfrozen.learning_rate=tag(log, interval(1e-4, 1e-3))",
            "freeze.unfreeze_blocks=range(1, 4)",
        ),
        tutorial=(
            "learning_rate=tag(log, interval(2e-3, 1e-2))",
            "dropout=interval(0.1, 0.5)",
            "unfrozen_learning_rate=tag(log, interval(1e-4, 1e-3))",
            # TPE of hydra-optuna-sweeper takes the end of a range in: 1, 2 or 3
            "unfreeze_blocks=range(1, 3)",
        ),
    ),
}
"""`tuner.py` declares the same space by KerasTuner's own calls."""

PEER_TRIALS = 6
"""Of a peer; the rest of its sweep is reckoned from them."""

MANY_TRIALS = 200
MANY_EPOCHS = 2

SINGLE_EPOCHS = 10
"""As many as a trial of the sweeps has."""

QUICK_SINGLE_EPOCHS = 3
"""The same where there are minutes only."""

SINGLE_RATE = 3e-4
"""Learning rate of a fit in which every block trains from the first step on."""

ALL_BLOCKS = 18
DEPTHS = (0, 1, 3, 8)
"""Of the picture, beside all blocks, which is what a single fine-tune trains."""
DEPTH_EPOCHS = 3
