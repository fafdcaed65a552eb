"""The same objective under random search of KerasTuner.

python tuner.py FOLDER --trials 3 --seed 0 --frozen-epochs 6 --unfrozen-epochs 4
"""

import argparse
import time
from pathlib import Path
from typing import Any

import keras
import keras_tuner
from objective import Settings, build_model, compile_model, fit_both, record


class FineTune(keras_tuner.HyperModel):
    """Builds and trains a trial; the search space is declared in :meth:`build`."""

    def __init__(self, folder: Path, frozen_epochs: int, unfrozen_epochs: int) -> None:
        super().__init__()
        self._folder = folder
        self._epochs = frozen_epochs, unfrozen_epochs
        self.val_accuracy = 0.0

    def build(self, hp: Any) -> keras.Model:
        rate = hp.Float("learning_rate", 2e-3, 1e-2, sampling="log")
        if self._epochs[1]:
            hp.Float("unfrozen_learning_rate", 1e-4, 1e-3, sampling="log")
            hp.Int("unfreeze_blocks", 1, 3)
        model, self._base = build_model(self._folder, hp.Float("dropout", 0.1, 0.5))
        compile_model(model, rate)
        return model

    def fit(self, hp: Any, model: keras.Model, *_: Any, **keywords: Any) -> dict[str, float]:
        frozen, unfrozen = self._epochs
        settings = Settings(
            learning_rate=hp.get("learning_rate"),
            dropout=hp.get("dropout"),
            frozen_epochs=frozen,
            unfrozen_epochs=unfrozen,
            unfrozen_learning_rate=hp.get("unfrozen_learning_rate") if unfrozen else 0.0,
            unfreeze_blocks=hp.get("unfreeze_blocks") if unfrozen else 0,
        )
        self.val_accuracy = fit_both(
            self._folder, settings, model, self._base, keywords["callbacks"]
        )
        return {"val_accuracy": self.val_accuracy}


class Search(keras_tuner.RandomSearch):
    """Random search that writes down what each trial took."""

    def run_trial(self, *arguments: Any, **keywords: Any) -> Any:
        began = time.perf_counter()
        result = super().run_trial(*arguments, **keywords)
        record(time.perf_counter() - began, self.hypermodel.val_accuracy)
        return result


def main() -> None:
    """Search, with the tuner's own files in the working directory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--frozen-epochs", type=int, required=True)
    parser.add_argument("--unfrozen-epochs", type=int, required=True)
    given = parser.parse_args()
    search = Search(
        FineTune(given.folder, given.frozen_epochs, given.unfrozen_epochs),
        objective="val_accuracy",
        max_trials=given.trials,
        seed=given.seed,
        directory="tuner",
        project_name="digits",
    )
    search.search()


if __name__ == "__main__":
    main()
