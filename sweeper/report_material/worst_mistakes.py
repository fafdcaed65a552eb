"""The validation images that a trial was most wrong about, as pictures for a person."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweeper.config import Recipe
from sweeper.data.batches import batches
from sweeper.data.examples import Examples
from sweeper.data.sources.loading import load
from sweeper.models.grad_cam import grad_cam
from sweeper.pictures.heat import save_heat, save_image
from sweeper.pictures.lettering import worded
from sweeper.report.damage import whole
from sweeper.report.mistakes import Mistake, Mistakes, write_mistakes
from sweeper.saved.classifier import SavedClassifier
from sweeper.study_files import predictions
from sweeper.study_files.predictions import Predictions
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.train.folds import splits_of

_SHOWN = 12


def save_worst_mistakes(
    recipe: Recipe, trial: TrialPaths, study: str, number: int, folder: Path
) -> None:
    """Write the worst mistakes of trial ``number`` to ``folder``, which is emptied of others.

    Where the network looked is shown of a trial without folds: a model of one fold has been
    trained on the validation images of the others.

    Raises:
        SweeperError: the data, the predictions or the model are not there.
    """
    found = whole(predictions.load, trial.predictions)
    worst = [] if found is None else _worst(found)
    for old in folder.glob("mistake*.png"):
        old.unlink()
    items = [] if found is None or not worst else _items(recipe, trial, found, worst, folder)
    write_mistakes(folder, Mistakes(study, number, items))


def _worst(found: Predictions) -> list[int]:
    """Rows of the images whose true class was thought least likely, the worst first."""
    said = found.probabilities.argmax(axis=1)
    wrong = np.flatnonzero(said != found.labels)
    of_truth = found.logits[wrong, found.labels[wrong]].astype(np.float32)
    behind = found.logits[wrong].max(axis=1).astype(np.float32) - of_truth
    chosen: list[int] = wrong[np.argsort(-behind, kind="stable")][:_SHOWN].tolist()
    return chosen


def _items(
    recipe: Recipe, trial: TrialPaths, found: Predictions, worst: list[int], folder: Path
) -> list[Mistake]:
    source = load(recipe.dataset)
    splits = splits_of(source, recipe)
    names = worded(found.class_names.tolist())
    pixels = _pixels(splits, found, worst, recipe.image_size)
    rows = [row for row in worst if row in pixels]
    if not rows:
        return []
    images = np.stack([pixels[row] for row in rows])
    said = found.probabilities[rows].argmax(axis=1).astype(np.int64)
    heat = None
    if len(splits) == 1 and trial.model.exists():
        network = SavedClassifier.load(trial.model).network
        heat = grad_cam(network, images.astype(np.float32), said)
    items = []
    for place, row in enumerate(rows):
        picture, hot = f"mistake{place:02d}.png", ""
        save_image(folder / picture, images[place])
        if heat is not None and heat[place].any():
            hot = f"mistake{place:02d}_heat.png"
            save_heat(folder / hot, images[place], heat[place])
        items.append(
            Mistake(
                str(found.ids[row]),
                names[int(found.labels[row])],
                names[int(said[place])],
                float(found.probabilities[row].max()),
                picture,
                hot,
            )
        )
    return items


def _pixels(
    splits: Sequence[tuple[Examples, Examples]], found: Predictions, rows: Sequence[int], side: int
) -> dict[int, NDArray[np.uint8]]:
    """Images of ``rows`` as the network was given them, but for those that the data lost."""
    pixels: dict[int, NDArray[np.uint8]] = {}
    for fold, (_, examples) in enumerate(splits):
        first = int(np.searchsorted(found.fold, fold))
        mine = sorted(row for row in rows if found.fold[row] == fold)
        kept = [
            row
            for row in mine
            if row - first < len(examples)
            and examples.identify(int(examples.indices[row - first])) == found.ids[row]
        ]
        if kept:
            chosen = examples.select(np.array(kept) - first)
            shown = batches(
                chosen, side, len(kept), target=lambda labels: labels, shuffle_seed=None
            )
            images, _ = next(iter(shown.dataset))
            pixels |= zip(kept, np.asarray(images).round().astype(np.uint8), strict=True)
    return pixels
