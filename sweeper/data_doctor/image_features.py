"""Pooled features of all images by the frozen backbone, from the cache that sweeps use too."""

import contextlib
import logging
from functools import partial

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from sweeper.advance import OnAdvance
from sweeper.cache.shared_cache import Cache
from sweeper.config import Recipe
from sweeper.data.examples import Examples
from sweeper.data.images import OnImages
from sweeper.data.targets import Targets
from sweeper.data_doctor.collection import Collection
from sweeper.models.build import Classifier
from sweeper.models.prefix import Prefix
from sweeper.train.building import build_classifier_for
from sweeper.train.frozen.features import Features
from sweeper.train.frozen.views import Images, View

log = logging.getLogger(__name__)

FROZEN = "computing features: images through the frozen backbone"


def features_of(
    collection: Collection, recipe: Recipe, cache: Cache, on_advance: OnAdvance
) -> NDArray[np.float32]:
    """``[n, features]`` of images that are not augmented.

    What a sweep of the recipe keeps of its validation images, and of its training images where it
    does not augment them, are the same entries of the cache: who comes first computes them.
    """
    head = recipe.head.model_copy(update={"one_logit": False})
    if head.pooling == "flatten":  # thousands of numbers an image, which say where things are
        head = head.model_copy(update={"pooling": "avg"})
    n_classes = max(2, len(collection.class_names))
    classifier = build_classifier_for(recipe.model_copy(update={"head": head}), n_classes)
    prefix = _pooled(classifier)
    sets = [one for one in collection.sets if len(one.examples)]
    plain = Targets(n_classes, one_logit=False)
    passed = partial(on_advance, FROZEN)
    with contextlib.ExitStack() as held:
        views: list[View] | None = None
        hashes = [_fingerprint(one.examples) for one in sets]
        if recipe.cache.views and None not in hashes:
            wanted = [
                Images(one.examples, str(known), recipe.image_size, None, plain)
                for one, known in zip(sets, hashes, strict=True)
            ]
            features = Features(cache, [prefix], recipe.precision, passed)
            views = features.open([wanted], held)[0]
        if views is not None:
            parts = [np.asarray(view.values)[np.asarray(view.rows)] for view in views]
            return np.concatenate(parts).astype(np.float32)
    return _computed(collection, recipe, prefix, plain, passed)


def _pooled(classifier: Classifier) -> Prefix:
    """The backbone up to its pooled features."""
    parts = classifier.split(None)
    if parts is not None:
        return parts[0]
    pooled = keras.layers.GlobalAveragePooling2D()(classifier.backbone.output)
    network = keras.Model(classifier.backbone.input, pooled)
    return Prefix(lambda: network)


def _fingerprint(examples: Examples) -> str | None:
    try:
        return examples.fingerprint()
    except OSError as error:  # reading the image will say so
        log.warning("features are not kept: %s", error)
        return None


def _computed(
    collection: Collection, recipe: Recipe, prefix: Prefix, plain: Targets, on_images: OnImages
) -> NDArray[np.float32]:
    """Without the cache: nothing is to be kept, or it has no room."""
    compute = tf.function(partial(prefix.network, training=False), autograph=False)
    found: list[NDArray[np.float32]] = []
    for one in collection.sets:
        images = Images(one.examples, "", recipe.image_size, None, plain)
        for pixels, _ in images.batches.dataset:
            found.append(np.asarray(compute(pixels), np.float32))
            on_images(sum(map(len, found)), len(collection))
    return np.concatenate(found)
