"""What only the best trial gets: the one look at the test set, and a place in MLflow's models."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from sweeper.config import Recipe
from sweeper.data.batches import Batches
from sweeper.data.sources import load
from sweeper.paths import TrialPaths
from sweeper.track.store import usable
from sweeper.train.cost import compiled, milliseconds_per_image
from sweeper.train.learned import make_model
from sweeper.train.trial import evaluation_batches


def finish(recipe: Recipe, paths: TrialPaths, uri: str, run_id: str) -> dict[str, float]:
    """Make the trial's model, evaluate it on the test set, time it, and log all that to the run.

    Returns:
        What :func:`evaluate` does, and ``milliseconds_per_image`` unless it is an objective.
    """
    import mlflow

    source = load(recipe.dataset)
    test = evaluation_batches(source.test, recipe, len(source.class_names))
    model = make_model(recipe, len(source.class_names), paths)
    predict = compiled(model)
    metrics = evaluate(predict, test)
    if "milliseconds_per_image" not in recipe.objectives:  # else the trial has measured it
        metrics["milliseconds_per_image"] = milliseconds_per_image(predict, test)
    mlflow.set_tracking_uri(uri)
    with usable(uri), mlflow.start_run(run_id=run_id):
        mlflow.log_metrics(metrics)
        mlflow.keras.log_model(
            model,
            name="model",
            signature=_signature(recipe.image_size, len(source.class_names)),
            # given, because inferring them imports the model in a process of its own (7 s)
            pip_requirements=[f"keras=={keras.__version__}", f"tensorflow=={tf.__version__}"],
            metadata={"class_names": list(source.class_names)},
        )
    return metrics


def keep(recipe: Recipe, paths: TrialPaths) -> None:
    """Make the model of a trial that no other beats in every objective."""
    make_model(recipe, len(load(recipe.dataset).class_names), paths)


def evaluate(predict: Callable[[tf.Tensor], tf.Tensor], examples: Batches) -> dict[str, float]:
    """Cross-entropy and accuracy of ``predict`` (images to probabilities) on all ``examples``.

    Returns:
        ``test_loss`` in nats, ``test_accuracy``, ``test_images``, and ``test_accuracy_low`` and
        ``test_accuracy_high``, the 95 % interval of the accuracy on new images of the same kind.
    """
    truth = examples.labels
    probabilities = np.concatenate([predict(images).numpy() for images, _ in examples.dataset])
    of_truth = probabilities[np.arange(len(truth)), truth]
    correct = int((probabilities.argmax(axis=1) == truth).sum())
    low, high = interval(correct, len(truth))
    return {
        "test_loss": float(-np.log(np.maximum(of_truth, np.finfo(np.float32).tiny)).mean()),
        "test_accuracy": correct / len(truth),
        "test_accuracy_low": low,
        "test_accuracy_high": high,
        "test_images": float(len(truth)),
    }


def interval(correct: int, images: int) -> tuple[float, float]:
    """Where the true accuracy lies in 95 of 100 cases, when ``correct`` of ``images`` were right.

    Wilson's score interval (1927): unlike the accuracy plus or minus 1.96 deviations it stays
    within [0, 1], and has a width where all or none were right.
    """
    from scipy.stats import binomtest

    found = binomtest(correct, images).proportion_ci(confidence_level=0.95, method="wilson")
    return float(found.low), float(found.high)


def _signature(image_size: int, n_classes: int) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    images = TensorSpec(np.dtype(np.float32), (-1, image_size, image_size, 3), name="images")
    probabilities = TensorSpec(np.dtype(np.float32), (-1, n_classes), name="probabilities")
    return ModelSignature(inputs=Schema([images]), outputs=Schema([probabilities]))
