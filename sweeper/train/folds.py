"""The fine-tunes that one trial makes, one for each fold, and their results together."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweeper.config import Auto, Given, KFold, Recipe, Split, TestSet
from sweeper.data.examples import Examples, Source, no_images
from sweeper.data.sources.loading import has_validation
from sweeper.data.splits import given_validation, split_folds, split_validation
from sweeper.errors import ConfigError
from sweeper.study_files.predictions import Predictions, halved
from sweeper.train.fit.phase_state import Epoch


@dataclass(frozen=True)
class Fit:
    """The result of one fine-tune: the epoch that is kept, and its predictions for validation.

    ``probabilities`` and ``logits`` are ``[n, classes]``, in the order of ``held_out``; ``epochs``
    are the metrics of all.
    """

    kept: Epoch
    epochs: Sequence[Mapping[str, float]]
    held_out: Examples
    probabilities: NDArray[np.float32]
    logits: NDArray[np.float32]
    costs: Mapping[str, float]
    learned: Path


def splits_of(source: Source, recipe: Recipe) -> list[tuple[Examples, Examples]]:
    """Training and validation examples of each fine-tune that a trial of ``recipe`` makes.

    Raises:
        ConfigError: what validates is not there, or has too few images of a class.
    """
    seed = recipe.dataset.split_seed
    match recipe.validation:
        case TestSet():
            if source.test is None:
                raise ConfigError(
                    [
                        "validation=test needs a test set, and dataset.test_fraction=0 wants none; "
                        "set validation=split, or a test_fraction"
                    ]
                )
            return [(source.train, source.test)]
        case KFold(folds=folds):
            return split_folds(source.train, folds, seed)
        case Given():
            return [given_validation(source)]
        case Auto() if len(source.validation):
            return [given_validation(source)]
    share = recipe.dataset.validation_fraction
    return [split_validation(source.train, share, seed, source.drawn)]


def spelled_split(source: Source, recipe: Recipe) -> str:
    """How many images train, validate and test, and where these come from."""
    splits = splits_of(source, recipe)
    train, validation = splits[0]
    if len(splits) > 1:
        spelled = f"{len(source.train):,} images train and validate, in {len(splits)} folds"
    else:
        is_given = np.isin(validation.indices, source.validation).all()
        origin = "given by the data set" if is_given else "drawn from train"
        origin = "the test set" if isinstance(recipe.validation, TestSet) else origin
        spelled = f"{len(train):,} images train, {len(validation):,} validate ({origin})"
    if source.test is None:
        return f"{spelled}, none test (dataset.test_fraction=0)"
    origin = "given by the data set"
    if source.drawn is not None:
        origin = f"drawn from train, dataset.test_fraction={source.drawn.fraction}"
    return f"{spelled}, {len(source.test):,} test ({origin})"


def hashed_split(source: Source, recipe: Recipe) -> str:
    """How many images train, validate and test, and a hash of which these are, and their labels.

    The same text only for the same images, by what identifies them, and the same split.
    """
    splits = splits_of(source, recipe)
    hashed = hashlib.blake2b(json.dumps(source.class_names).encode(), digest_size=8)
    for examples in (source.train, source.test or source.train.select(no_images())):
        ids = (examples.identify(int(place)) for place in examples.indices)
        hashed.update(json.dumps([*ids, examples.labels.tolist()]).encode())
    for train, validation in splits:
        hashed.update(train.indices.tobytes() + b"," + validation.indices.tobytes())
    trains, validates = (len(part) for part in splits[0])
    folds = f" in each of {len(splits)} folds" if len(splits) > 1 else ""
    return (
        f"{trains:,} images train, {validates:,} validate{folds}, {len(source.test or ()):,} test "
        f"(names, labels and split: {hashed.hexdigest()})"
    )


def settled(recipe: Recipe) -> Recipe:
    """``recipe`` with ``validation=auto`` replaced by what it is with this data set."""
    if not isinstance(recipe.validation, Auto):
        return recipe
    given = has_validation(recipe.dataset)
    kind = Given(kind="given") if given else Split(kind="split")
    return recipe.model_copy(update={"validation": kind})


def means(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean of each number over ``parts``, which have the same keys."""
    return {key: float(np.mean([part[key] for part in parts])) for key in parts[0]}


def objectives(recipe: Recipe, fits: Sequence[Fit]) -> tuple[float, ...]:
    """The recipe's objectives, means over ``fits``."""
    mean = means([{**fit.kept.metrics, **fit.costs} for fit in fits])
    return tuple(mean[name] for name in recipe.objectives)


def typical(fits: Sequence[Fit]) -> Fit:
    """The fit nearest to the mean accuracy, neither the luckiest nor the unluckiest.

    Its model is kept: the test result shall speak for the recipe.
    """
    accuracies = np.array([fit.kept.metrics["val_accuracy"] for fit in fits])
    return fits[int(np.abs(accuracies - accuracies.mean()).argmin())]


def predictions(fits: Sequence[Fit], class_names: Sequence[str]) -> Predictions:
    """What all ``fits`` predict for their validation images, one after the other."""
    parts = [fit.held_out for fit in fits]
    return Predictions(
        np.array([part.identify(int(place)) for part in parts for place in part.indices]),
        np.concatenate([part.labels for part in parts]),
        np.repeat(np.arange(len(fits)), [len(part) for part in parts]),
        halved(np.concatenate([fit.probabilities for fit in fits])),
        halved(np.concatenate([fit.logits for fit in fits])),
        np.array(class_names),
    )
