"""What TensorFlow does on this machine; called in a process of its own, which may die of it.

Each returns what JSON can hold. TensorFlow is imported by whoever calls one.
"""

import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from sweeper.config import Dataset, Recipe

_SIDE = {"CPU": 1024, "GPU": 4096}
"""Of the matrices that are multiplied: a few milliseconds of work."""
_REPEATS = 8
_ROUNDS = 2
_STEP_SECONDS = 10.0
"""After which no further step begins."""
_CLASSES = 10


def devices() -> dict[str, Any]:
    """The GPUs that TensorFlow sees, and whether it was built to use any."""
    import tensorflow as tf
    from tensorflow.python.client import device_lib

    gpus = tf.config.list_physical_devices("GPU")
    limits = [
        one.memory_limit for one in device_lib.list_local_devices() if one.device_type == "GPU"
    ]
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    return {
        "cuda": tf.test.is_built_with_cuda(),
        "gpus": [
            {
                "name": detail.get("device_name", "GPU"),
                "memory": limit,
                "capability": ".".join(map(str, detail.get("compute_capability", ()))),
            }
            for detail, limit in zip(details, limits, strict=True)
        ],
    }


def xla(kind: str) -> float | None:
    """Largest error of a compiled function on a device, relative to the largest number.

    None where there is no device of that ``kind``.
    """
    import tensorflow as tf

    if not tf.config.list_physical_devices(kind):
        return None
    numbers = np.random.default_rng(0)
    left, right = (numbers.normal(size=(128, 128)) for _ in range(2))

    def softmax(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(tf.matmul(a, b) / 16)

    with tf.device(kind):
        compiled = tf.function(softmax, jit_compile=True)
        found = compiled(*(tf.constant(one, tf.float32) for one in (left, right))).numpy()
    powers = np.exp(left @ right / 16)
    return _error(found, powers / powers.sum(axis=1, keepdims=True))


def bfloat16() -> dict[str, Any]:
    """A product of matrices in bfloat16: its error, and how many times as fast as in float32."""
    import tensorflow as tf

    side = _SIDE["GPU" if tf.config.list_physical_devices("GPU") else "CPU"]
    numbers = np.random.default_rng(0)
    left, right = (numbers.normal(size=(side, side)).astype(np.float32) for _ in range(2))

    def measured(kind: tf.DType) -> tuple[Any, float]:
        operands = [tf.cast(one, kind) for one in (left, right)]
        multiply = tf.function(tf.matmul)
        product = tf.cast(multiply(*operands), tf.float32).numpy()
        seconds: list[float] = []
        while len(seconds) < _REPEATS:
            start = time.perf_counter()
            multiply(*operands)[0, 0].numpy()  # waits for the device, and fetches one number
            seconds.append(time.perf_counter() - start)
        return product, statistics.median(seconds)

    plain, of_plain = measured(tf.float32)
    half, of_half = measured(tf.bfloat16)
    return {"error": _error(half, plain), "ratio": of_plain / of_half}


def step(recipe: Recipe) -> float:
    """Images per second in training steps of the last phase of ``recipe``, on made-up images.

    They go through the whole network, frozen part included, with random weights.
    """
    return recipe.batch_size / statistics.median(_stepper(recipe, recipe.precision)(_REPEATS))


def mixed_step(recipe: Recipe) -> float:
    """How many times as fast such a step is in mixed_bfloat16 as in float32.

    In turns, and the fastest of each: what other programs take must not decide.
    """
    steppers = {name: _stepper(recipe, name) for name in ("float32", "mixed_bfloat16")}
    fastest = dict.fromkeys(steppers, float("inf"))
    for _ in range(_ROUNDS):
        for name, stepper in steppers.items():
            fastest[name] = min(fastest[name], *stepper(_REPEATS // _ROUNDS))
    return fastest["float32"] / fastest["mixed_bfloat16"]


def _stepper(recipe: Recipe, precision: str) -> Callable[[int], list[float]]:
    """Takes a number of training steps, and returns the seconds of each."""
    import keras
    import tensorflow as tf

    from sweeper.train.building import build_classifier_for
    from sweeper.train.evaluation import build_loss
    from sweeper.train.fit.stages import planned
    from sweeper.train.optimizers.by_name import build_optimizer
    from sweeper.train.runtime import numerics

    numerics.set_up(recipe.model_copy(update={"precision": precision}))
    phase = planned(recipe)[-1]
    random = recipe.backbone.model_copy(update={"weights": None})
    one_logit = recipe.head.one_logit
    classes = 2 if one_logit else _CLASSES
    classifier = build_classifier_for(recipe.model_copy(update={"backbone": random}), classes)
    split_model = classifier.split_model(phase.freeze).thaw()
    optimizer = phase.phase.optimizer or recipe.optimizer
    split_model.compile(
        optimizer=build_optimizer(optimizer, phase.phase.learning_rate, None),
        loss=build_loss(one_logit),
        jit_compile=False,
    )
    split_model.prepare(None, None, numerics.compile_options(recipe, split_model))
    count, side = recipe.batch_size, recipe.image_size
    images = tf.random.uniform((count, side, side, 3), 0, 255)
    targets = tf.one_hot(tf.range(count) % classes, classes)[:, : 1 if one_logit else classes]
    batch = tf.data.Dataset.from_tensors((images, targets)).repeat()

    def run(steps: int) -> list[float]:
        ends: list[float] = []

        def ended(_batch: int, logs: Any) -> None:
            float(logs["loss"])  # waits for the device
            ends.append(time.perf_counter())
            split_model.stop_training = len(ends) > 1 and ends[-1] - ends[0] > _STEP_SECONDS

        # the first step builds the graph
        callback = keras.callbacks.LambdaCallback(on_train_batch_end=ended)
        split_model.fit(batch, steps_per_epoch=1 + steps, callbacks=[callback], verbose=0)
        return [later - sooner for sooner, later in pairwise(ends)]

    return run


def data(dataset: Dataset) -> dict[str, Any]:
    """How many images and classes a data set has, or why they are not there."""
    from sweeper.data.sources import loading, tfds_source
    from sweeper.data.sources.internet import any_answers
    from sweeper.errors import MissingInput

    # what cannot be decoded is looked for by a fine-tune: it takes long
    unscanned = {"on_corrupt": "error"} if hasattr(dataset, "on_corrupt") else {}
    listed = dataset.model_copy(update=unscanned)
    try:
        source = loading.load(listed)
    except MissingInput as error:
        reachable = dataset.source == "tfds" and any_answers([tfds_source.SITE])
        return {"missing": str(error), "reachable": reachable}
    return {"images": len(source.train), "classes": len(source.class_names)}


def _error(found: Any, right: Any) -> float:
    return float(np.abs(found - right).max() / np.abs(right).max())
