"""What only the best trial gets: a model, the one look at the test set, a place in MLflow."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from sweeper.config import Recipe
from sweeper.data.batches import Batches
from sweeper.data.examples import Source
from sweeper.data.sources.loading import load
from sweeper.records import UNOWNED, Owner
from sweeper.study_folder import TrialPaths
from sweeper.track.journal import Journal
from sweeper.train.building import build_classifier_for
from sweeper.train.cost import compiled, milliseconds_per_image
from sweeper.train.evaluation import evaluation_batches
from sweeper.train.folds import splits_of
from sweeper.train.pictures.confusion_matrix import save_confusion_matrix
from sweeper.train.runtime import numerics
from sweeper.train.stages import planned
from sweeper.train.trained_weights import load_trained_weights

Predict = Callable[[tf.Tensor], tf.Tensor]


def finish(recipe: Recipe, paths: TrialPaths, owner: Owner) -> dict[str, float]:
    """Make the trial's model, evaluate it on the test set, time it, and record all that.

    Returns:
        What :func:`evaluate` measures of the test images, unless there are none;
        ``model_val_loss`` and ``model_val_accuracy`` of the model on the validation images, unless
        the trial has folds; and ``milliseconds_per_image`` unless it is an objective.

    Raises:
        SweeperError: what the trial learned is not there any more.
    """
    source = load(recipe.dataset)
    names = source.class_names
    images = evaluation_batches(
        source.train if source.test is None else source.test, recipe, len(names)
    )
    model = make_model(recipe, len(names), paths, owner)
    predict = compiled(model)
    metrics = {} if source.test is None else evaluate(predict, images)
    metrics |= _validate(predict, source, recipe, paths)
    if "milliseconds_per_image" not in recipe.objectives:  # else the trial has measured it
        metrics["milliseconds_per_image"] = milliseconds_per_image(predict, images)
    journal = Journal(paths.mlflow)
    journal.log_metrics(metrics, 0)
    if paths.confusion_matrix.exists():
        journal.log_file(paths.confusion_matrix, "plots")
    _save_for_mlflow(model, paths.mlflow.model, names)
    journal.log_model(paths.mlflow.model)
    return metrics


def keep(recipe: Recipe, paths: TrialPaths, owner: Owner = UNOWNED) -> None:
    """Make the model of a trial that no other beats in every objective."""
    make_model(recipe, len(load(recipe.dataset).class_names), paths, owner)


def make_model(recipe: Recipe, n_classes: int, paths: TrialPaths, owner: Owner) -> keras.Model:
    """Make and write the trial's whole model, from images to probabilities.

    It is made of what this trial learned, never read from a file: another run may have left one.

    Raises:
        SweeperError: what the trial of ``owner`` learned is not there any more.
    """
    learned = load_trained_weights(paths.learned, recipe, owner)
    numerics.set_up(recipe)
    classifier = build_classifier_for(recipe, n_classes)
    split_model = classifier.split_model(planned(recipe)[-1].freeze).thaw()
    for variable, value in zip(split_model.learned, learned, strict=True):
        variable.assign(value)
    aside = paths.model.with_name(f".{paths.model.name}")
    model = classifier.inference_model()
    model.save(aside)
    aside.replace(paths.model)
    return model


def evaluate(predict: Predict, examples: Batches) -> dict[str, float]:
    """Cross-entropy and accuracy of ``predict`` (images to probabilities) on all ``examples``.

    Returns:
        ``test_loss`` in nats, ``test_accuracy``, ``test_images``, and ``test_accuracy_low`` and
        ``test_accuracy_high``, the 95 % interval of the accuracy on new images of the same kind.
    """
    loss, right = _judge(_probabilities(predict, examples), examples.labels)
    correct, images = int(right.sum()), len(right)
    low, high = interval(correct, images)
    return {
        "test_loss": loss,
        "test_accuracy": correct / images,
        "test_accuracy_low": low,
        "test_accuracy_high": high,
        "test_images": float(images),
    }


def interval(correct: int, images: int) -> tuple[float, float]:
    """Where the true accuracy lies in 95 of 100 cases, when ``correct`` of ``images`` were right.

    Wilson's score interval (1927): unlike the accuracy plus or minus 1.96 deviations it stays
    within [0, 1], and has a width where all or none were right.
    """
    from scipy.stats import binomtest

    found = binomtest(correct, images).proportion_ci(confidence_level=0.95, method="wilson")
    return float(found.low), float(found.high)


def _validate(
    predict: Predict, source: Source, recipe: Recipe, paths: TrialPaths
) -> dict[str, float]:
    """What the model itself gives for the validation images, and its confusion matrix.

    The trial measured features kept in half precision, so that an image or two may differ. Folds
    have no one set of validation images.
    """
    splits = splits_of(source, recipe)
    if len(splits) > 1:
        return {}
    examples = evaluation_batches(splits[0][1], recipe, len(source.class_names))
    probabilities, truth = _probabilities(predict, examples), examples.labels
    loss, right = _judge(probabilities, truth)
    predicted = probabilities.argmax(axis=1)
    save_confusion_matrix(paths.confusion_matrix, truth, predicted, source.class_names)
    return {"model_val_loss": loss, "model_val_accuracy": float(right.mean())}


def _probabilities(predict: Predict, examples: Batches) -> NDArray[np.float32]:
    return np.concatenate([predict(images).numpy() for images, _ in examples.dataset])


def _judge(
    probabilities: NDArray[np.float32], truth: NDArray[np.int64]
) -> tuple[float, NDArray[np.bool_]]:
    """Mean cross-entropy in nats, and ``[n]`` whether each image was classified correctly."""
    of_truth = probabilities[np.arange(len(truth)), truth]
    loss = -np.log(np.maximum(of_truth, np.finfo(np.float32).tiny)).mean()
    return float(loss), probabilities.argmax(axis=1) == truth


def _save_for_mlflow(model: keras.Model, folder: Path, names: Sequence[str]) -> None:
    """Write ``model`` in the form in which MLflow keeps and loads it, without a store."""
    import mlflow.keras

    shutil.rmtree(folder, ignore_errors=True)
    mlflow.keras.save_model(
        model,
        str(folder),
        signature=_signature(model),
        # given, because inferring them imports the model in a process of its own (7 s)
        pip_requirements=[f"keras=={keras.__version__}", f"tensorflow=={tf.__version__}"],
        metadata={"class_names": list(names)},
    )


def _signature(model: keras.Model) -> Any:
    """Under the names of the model's own inputs and outputs, by which MLflow feeds it."""
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    def described(tensor: Any, name: str) -> Any:
        shape = tuple(-1 if side is None else side for side in tensor.shape)
        return Schema([TensorSpec(np.dtype(tensor.dtype), shape, name=name)])

    (name,) = model.output_names
    return ModelSignature(
        inputs=described(model.inputs[0], model.inputs[0].name),
        outputs=described(model.outputs[0], name),
    )
