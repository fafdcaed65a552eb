"""What only the best trial gets: a model, the one look at the test set, a place in MLflow."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from sweeper import __version__
from sweeper.advance import OnAdvance, no_advance, once_a_second
from sweeper.config import Recipe
from sweeper.config.data import MAX_PIXELS
from sweeper.data.examples import Source
from sweeper.data.images import OnImages
from sweeper.data.sources.loading import load
from sweeper.models.inference import compiled
from sweeper.pictures.confusion_matrix import save_confusion_matrix
from sweeper.records import UNOWNED, Owner
from sweeper.saved.card import Card, write_card
from sweeper.saved.mlflow_folder import save_for_mlflow
from sweeper.study_files.predictions import save
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.track.journal import Journal
from sweeper.train.building import build_classifier_for
from sweeper.train.cost import milliseconds_per_image
from sweeper.train.evaluation import evaluation_batches
from sweeper.train.final_test import Predict, final_test, judge, probabilities_of
from sweeper.train.fit.stages import planned
from sweeper.train.folds import splits_of
from sweeper.train.runtime import numerics
from sweeper.train.trained_weights import load_trained_weights

TESTING, VALIDATING = "testing the model", "validating the model"


def finish(
    recipe: Recipe, paths: TrialPaths, owner: Owner, on_advance: OnAdvance = no_advance
) -> dict[str, float]:
    """Make the trial's model, evaluate it on the test set, time it, and record all that.

    ``on_advance`` is called as images are predicted, at most once a second.

    Returns:
        What :func:`evaluate` measures of the test images, unless there are none;
        ``model_val_loss`` and ``model_val_accuracy`` of the model on the validation images, unless
        the trial has folds; and ``milliseconds_per_image`` unless it is an objective.

    Raises:
        SweeperError: what the trial learned is not there any more.
    """
    on_advance = once_a_second(on_advance)
    source = load(recipe.dataset)
    names = source.class_names
    images = evaluation_batches(
        source.train if source.test is None else source.test, recipe, len(names)
    )
    model = make_model(recipe, len(names), paths, owner)
    predict = compiled(model)
    metrics: dict[str, float] = {}
    if source.test is not None:
        tested = partial(on_advance, TESTING)
        metrics, predictions = final_test(predict, images, source.test, names, tested)
        save(paths.test_predictions, predictions)
    metrics |= _validate(predict, source, recipe, paths, partial(on_advance, VALIDATING))
    if "milliseconds_per_image" not in recipe.objectives:  # else the trial has measured it
        metrics["milliseconds_per_image"] = milliseconds_per_image(predict, images)
    journal = Journal(paths.mlflow)
    journal.log_metrics(metrics, 0)
    if paths.confusion_matrix.exists():
        journal.log_file(paths.confusion_matrix, "plots")
    write_model(model, card_of(recipe, source, owner, metrics), paths.model)
    example = next(iter(images.dataset))[0][0].numpy().astype(np.uint8)
    save_for_mlflow(paths.model, paths.mlflow.model, example)
    journal.log_model(paths.mlflow.model)
    return metrics


def keep(recipe: Recipe, paths: TrialPaths, owner: Owner = UNOWNED) -> None:
    """Make and write the model of a trial that no other beats in every objective."""
    source = load(recipe.dataset)
    model = make_model(recipe, len(source.class_names), paths, owner)
    write_model(model, card_of(recipe, source, owner, {}), paths.model)


def make_model(recipe: Recipe, n_classes: int, paths: TrialPaths, owner: Owner) -> keras.Model:
    """Make the trial's whole model, from images to probabilities.

    It is made of what this trial learned, never read from a file: another run may have left one.

    Raises:
        SweeperError: what the trial of ``owner`` learned is not there any more.
    """
    learned = load_trained_weights(paths.learned, recipe, owner)
    variables, model = untrained_model(recipe, n_classes)
    for variable, value in zip(variables, learned, strict=True):
        variable.assign(value)
    return model


def untrained_model(recipe: Recipe, n_classes: int) -> tuple[Sequence[keras.Variable], keras.Model]:
    """The whole model as training begins, and the variables that the last phase trains."""
    numerics.set_up(recipe)
    classifier = build_classifier_for(recipe, n_classes)
    split_model = classifier.split_model(planned(recipe)[-1].freeze).thaw()
    return split_model.learned, classifier.inference_model()


def write_model(model: keras.Model, card: Card, path: Path) -> None:
    """Write ``model`` with its ``card`` as one ``.keras`` file."""
    aside = path.with_name(f".network.{path.name}")
    try:
        model.save(aside)
        write_card(aside, card, path)
    finally:
        aside.unlink(missing_ok=True)


def card_of(
    recipe: Recipe,
    source: Source,
    owner: Owner,
    metrics: Mapping[str, float],
    origin: Mapping[str, str] | None = None,
) -> Card:
    """What belongs to the model of ``recipe``, of which ``metrics`` were measured.

    ``origin`` adds to what ``owner`` says of where it comes from.
    """
    return Card(
        class_names=tuple(source.class_names),
        image_size=recipe.image_size,
        max_pixels=getattr(recipe.dataset, "max_pixels", MAX_PIXELS),
        recipe=recipe.model_dump(mode="json", exclude_unset=True),
        data=_data_hash(source),
        versions={"keras": keras.__version__, "tensorflow": tf.__version__, "sweeper": __version__},
        validation={key: value for key, value in metrics.items() if key.startswith("model_val")},
        test={key: value for key, value in metrics.items() if key.startswith("test_")},
        origin={**asdict(owner), **(origin or {})},
    )


def _data_hash(source: Source) -> str:
    """Of the images and labels of all parts; empty where the source cannot say what they are."""
    parts = [source.train, *([source.test] if source.test is not None else [])]
    try:
        known = [part.fingerprint() for part in parts]
    except OSError:
        return ""
    if None in known:
        return ""
    labels = [hashlib.sha256(part.labels.tobytes()).hexdigest() for part in parts]
    return hashlib.sha256(json.dumps([known, labels]).encode()).hexdigest()


def _validate(
    predict: Predict, source: Source, recipe: Recipe, paths: TrialPaths, on_images: OnImages
) -> dict[str, float]:
    """What the model itself gives for the validation images, and its confusion matrix.

    The trial measured features kept in half precision, so that an image or two may differ. Folds
    have no one set of validation images.
    """
    splits = splits_of(source, recipe)
    if len(splits) > 1:
        return {}
    examples = evaluation_batches(splits[0][1], recipe, len(source.class_names))
    probabilities, truth = probabilities_of(predict, examples, on_images), examples.labels
    loss, right = judge(probabilities, truth)
    predicted = probabilities.argmax(axis=1)
    save_confusion_matrix(paths.confusion_matrix, truth, predicted, source.class_names)
    return {"model_val_loss": loss, "model_val_accuracy": float(right.mean())}
