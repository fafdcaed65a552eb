"""Plain Keras ``fit``: one phase, with so many of the top blocks trainable, nothing recorded.

python plain.py FOLDER --epochs 4 --blocks 0 1 18
"""

import argparse
import time
from pathlib import Path

import keras
from objective import EpochSeconds, Settings, build_model, fit_both, record


def main() -> None:
    """Fit once for each number of blocks; 0 trains the head alone."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--learning-rate", type=float, required=True)
    parser.add_argument("--blocks", type=int, nargs="+", required=True)
    given = parser.parse_args()
    for blocks in given.blocks:
        began = time.perf_counter()
        keras.utils.clear_session()
        model, base = build_model(given.folder, 0.2)
        settings = Settings(given.learning_rate, 0.2, 0, given.epochs, given.learning_rate, blocks)
        clock = EpochSeconds()
        val_accuracy = fit_both(given.folder, settings, model, base, [clock])
        record(time.perf_counter() - began, val_accuracy, clock.seconds)


if __name__ == "__main__":
    main()
