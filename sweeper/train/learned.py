"""What a trial learned, without what it began with; a whole model is made of it when wanted."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from sweeper.config import Recipe
from sweeper.paths import TrialPaths, open_aside
from sweeper.train import numerics
from sweeper.train.inputs import planned
from sweeper.train.network import build_classifier_for


def save_learned(path: Path, learned: Sequence[NDArray[Any]]) -> None:
    """Keep the weights of the last phase's unfrozen part and of the head, in their order."""
    with open_aside(path) as file:
        np.savez(file, *learned)


def make_model(recipe: Recipe, n_classes: int, paths: TrialPaths) -> keras.Model:
    """The trial's whole model, from images to probabilities; it is written unless it is there."""
    if paths.model.exists():
        return keras.models.load_model(paths.model)
    numerics.set_up(recipe)
    classifier = build_classifier_for(recipe, n_classes)
    trainer = classifier.trainer(planned(recipe)[-1].freeze)
    with np.load(paths.learned, allow_pickle=False) as file:
        for variable, name in zip(trainer.learned, file.files, strict=True):
            variable.assign(file[name])
    aside = paths.model.with_name(f".{paths.model.name}")
    model = classifier.inference_model()
    model.save(aside)
    aside.replace(paths.model)
    return model
