"""How fast this machine computes what a sweep cannot do without.

    python speed.py OUTPUT

Measures images/s of the network's forward pass, and of a training step and a forward pass of what
trains, above each cut: steps in a loop within one graph, on all cores, with everything in memory.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from plan import ALL_BLOCKS

BATCH = 32
STEPS = 12
REPEATS = 3
CUTS = (0, 1, 2, 3, ALL_BLOCKS)


def speed_of(step: Callable[[tf.Tensor], tf.Tensor], shape: Sequence[int], scale: float) -> float:
    """Images/s of ``step`` on batches ``[BATCH, *shape]``."""
    batches = tf.random.uniform([STEPS, BATCH, *shape], 0, scale)

    @tf.function
    def loop() -> tf.Tensor:
        total = 0.0
        for i in tf.range(STEPS):
            total += step(batches[i])
        return total

    loop().numpy()
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        loop().numpy()
        seconds.append(time.perf_counter() - began)
    return STEPS * BATCH / statistics.median(seconds)


def above_cut(classifier: Any, freeze: Any, blocks: int) -> dict[str, float]:
    """Images/s through the top ``blocks`` and the head: trained, and forward alone."""
    from sweeper.train.optimizers.fused import fused

    unfrozen = freeze.model_copy(update={"unfreeze_blocks": blocks})
    split_model = classifier.split_model(unfrozen if blocks else None).thaw()
    parts = split_model.split()
    model = split_model if parts is None else parts[1]
    taken = classifier.backbone.input if parts is None else parts[0].output
    optimizer: Any = fused(keras.optimizers.Adam)(1e-4)
    optimizer.build(model.trainable_variables)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    labels = tf.range(BATCH) % 10

    def train(images: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            value = loss(labels, model(images, training=True))
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(value, variables), variables)
        return value

    def forward(images: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(model(images, training=False))

    shape = taken.shape[1:]
    scale = 255.0 if parts is None else 1.0
    return {"train": speed_of(train, shape, scale), "forward": speed_of(forward, shape, scale)}


def main() -> None:
    """Measure, and write what `floor.py` reckons with, as JSON."""
    from export import benchmark_recipe

    from sweeper.data.sources.loading import load
    from sweeper.models.folding import Folded
    from sweeper.train.building import build_classifier_for
    from sweeper.train.folds import splits_of

    recipe = benchmark_recipe()
    source = load(recipe.dataset)
    ((train, validation),) = splits_of(source, recipe)
    classifier = build_classifier_for(recipe, len(source.class_names))
    prefix, _ = classifier.split_model(None).split()
    network = Folded(prefix)
    forward = speed_of(
        lambda images: tf.reduce_sum(network(images, training=False)),
        prefix.input.shape[1:],
        255.0,
    )
    counts = {
        "views": recipe.cache.views,
        "train": len(train),
        "validation": len(validation),
        "test": len(source.test),
    }
    above = {blocks: above_cut(classifier, recipe.freeze, blocks) for blocks in CUTS}
    Path(sys.argv[1]).write_text(json.dumps({"forward": forward, "above": above, "images": counts}))


if __name__ == "__main__":
    main()
