"""What a trial leaves behind when it has trained: pictures, predictions, weights of one fit."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sweeper.config import OF_EPOCHS, Recipe
from sweeper.data.batches import batches
from sweeper.data.examples import Examples
from sweeper.data.targets import Targets
from sweeper.pictures.confusion_matrix import save_confusion_matrix
from sweeper.pictures.preview import save_augmented
from sweeper.pictures.samples import save_samples
from sweeper.study_files.predictions import save
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.track.tracker import Tracker
from sweeper.train.folds import Fit, means, objectives, predictions, typical

_SHOWN = 9
"""Images in samples.png and augmented.png."""


def keep_results(
    recipe: Recipe,
    paths: TrialPaths,
    tracker: Tracker,
    fits: Sequence[Fit],
    class_names: tuple[str, ...],
) -> None:
    """Keep predictions of all ``fits`` and the weights of one; log costs, and means over folds."""
    truth = np.concatenate([fit.held_out.labels for fit in fits])
    predicted = np.concatenate([fit.probabilities.argmax(axis=1) for fit in fits])
    save(paths.predictions, predictions(fits, class_names))
    save_confusion_matrix(paths.confusion_matrix, truth, predicted, class_names)
    step = max(int(fit.epochs[-1]["step"]) for fit in fits)
    kept = typical(fits)
    if len(fits) > 1:
        _log_means(tracker, fits)
        kept.learned.replace(paths.learned)
        for fit in fits:
            fit.learned.unlink(missing_ok=True)
    costs = means([fit.costs for fit in fits])
    tracker.log_metrics({**costs, "best_epoch": kept.kept.step}, step)


def log_best_of_folds(recipe: Recipe, tracker: Tracker, fits: Sequence[Fit]) -> None:
    """The objectives over the folds so far, by which MLflow's table sorts a trial at any time."""
    values = zip(recipe.objectives, objectives(recipe, fits), strict=True)
    best = {f"best_{name}": value for name, value in values if name in OF_EPOCHS}
    tracker.log_metrics(best, max(int(fit.epochs[-1]["step"]) for fit in fits))


def _log_means(tracker: Tracker, fits: Sequence[Fit]) -> None:
    """Under the names that a trial without folds has: the mean of each epoch over folds."""
    for together in zip(*(fit.epochs for fit in fits), strict=False):
        mean = means(together)
        tracker.log_metrics(
            {key: value for key, value in mean.items() if key != "step"}, int(mean["step"])
        )


def save_pictures(
    recipe: Recipe, folder: Path, examples: Examples, class_names: tuple[str, ...]
) -> None:
    """Save some training images, and what each augmentation makes of them, into ``folder``."""
    targets = Targets(len(class_names), recipe.head.one_logit)
    shown = batches(
        examples,
        recipe.image_size,
        _SHOWN,
        target=lambda labels: (labels, targets(labels)),
        shuffle_seed=recipe.seed,
    )
    images, labels, wanted = next(iter(shown.dataset.as_numpy_iterator()))
    save_samples(folder / "samples.png", images, labels, class_names)
    save_augmented(folder / "augmented.png", images, wanted, recipe.augment, recipe.seed)
