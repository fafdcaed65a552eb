"""What each phase trains on: images, or what frozen layers make of them."""

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from sweeper.cache.store import Cache
from sweeper.config import Freeze, Phase, Recipe
from sweeper.data.augment import build_augment
from sweeper.data.batches import Batches, batches, shuffled
from sweeper.data.examples import Examples
from sweeper.data.targets import Targets
from sweeper.models.build import Classifier
from sweeper.models.trainer import Change, Trainer
from sweeper.train.features import Features, Images, View


@dataclass(frozen=True)
class Inputs:
    """A model and what it is fed; ``augment`` changes each training batch, or is None.

    ``steps_per_execution`` is how many steps TensorFlow takes without coming back to Python.
    """

    model: Trainer
    train: Batches
    validation: Batches
    augment: Change | None
    steps_per_execution: int


@dataclass(frozen=True)
class PlannedPhase:
    """A phase, its name, and what trains in it beside the head."""

    name: str
    phase: Phase
    freeze: Freeze | None


def planned(recipe: Recipe) -> list[PlannedPhase]:
    """The phases of ``recipe``, in order."""
    phases = recipe.phases
    both = (("frozen", phases.frozen, None), ("unfrozen", phases.unfrozen, recipe.freeze))
    return [PlannedPhase(name, phase, freeze) for name, phase, freeze in both if phase is not None]


@dataclass(frozen=True)
class _Kept:
    """What a phase's frozen part makes of training images, in views, and of those held out."""

    train: Sequence[View]
    validation: View


class Feed:
    """Inputs for each phase of one fine-tune.

    Args:
        recipe: what is trained.
        classifier: the network.
        train: examples to learn from.
        held_out: examples to validate by.
        targets: what labels become in training.
        cache: where features are kept.
        held: takes what is in use of the cache.
    """

    def __init__(
        self,
        recipe: Recipe,
        classifier: Classifier,
        train: Examples,
        held_out: Examples,
        targets: Targets,
        cache: Cache,
        held: contextlib.ExitStack,
    ) -> None:
        self._recipe = recipe
        self._classifier = classifier
        self._train, self._held_out = train, held_out
        self._targets = targets
        self._plain = Targets(targets.n_classes, targets.one_logit)
        self._kept: dict[str, _Kept] = {}
        self.computed_seconds = 0.0
        """What was computed of the frozen parts here, and is kept, took so long."""
        if recipe.cache.views:
            self._open_features(cache, held)

    def of(self, planned: PlannedPhase, first_step: int) -> Inputs:
        """What the phase trains on; its first epoch has the number ``first_step``.

        Sets the trainable flags of the network.
        """
        model = self._classifier.trainer(planned.freeze)
        size, seed = self._recipe.batch_size, self._recipe.seed
        kept = self._kept.get(planned.name)
        parts = model.split() if kept else None
        if kept is None or parts is None:
            side = self._recipe.image_size
            train = batches(self._train, side, size, target=self._targets, shuffle_seed=seed)
            held_out = batches(self._held_out, side, size, target=self._plain, shuffle_seed=None)
            return Inputs(model, train, held_out, build_augment(self._recipe.augment, seed), 1)
        _, rest = parts
        train = of_views(kept.train, self._targets, size, seed, first_step)
        validation = of_views([kept.validation], self._plain, size, None, 0)
        return Inputs(rest, train, validation, None, train.steps)

    def seconds_of_epoch(self, name: str) -> float:
        """What the frozen part would take in each epoch of the phase, were it not kept."""
        kept = self._kept.get(name)
        if kept is None:
            return 0.0
        of_train = sum(view.seconds for view in kept.train) / len(kept.train)
        return of_train + kept.validation.seconds

    def _open_features(self, cache: Cache, held: contextlib.ExitStack) -> None:
        recipe = self._recipe
        # what the unfrozen phase is fed is cut lower
        phases = reversed(planned(recipe))
        cut = {phase.name: (phase, prefix) for phase in phases if (prefix := self._prefix(phase))}
        if not cut:
            return
        features = Features(cache, held, [prefix for _, prefix in cut.values()], recipe.precision)
        epochs = max(phase.phase.epochs for phase, _ in cut.values())
        opened = open_all(features, recipe, self._train, self._held_out, self._plain, epochs)
        for name, (validation, *train) in zip(cut, opened, strict=True):
            whole = [view for view in train if view is not None]
            if validation is not None and len(whole) == len(train):
                self._kept[name] = _Kept(whole, validation)
        self.computed_seconds = features.seconds

    def _prefix(self, phase: PlannedPhase) -> keras.Model | None:
        parts = self._classifier.trainer(phase.freeze).split()
        return parts and parts[0]


def open_all(
    features: Features,
    recipe: Recipe,
    train: Examples,
    held_out: Examples,
    plain: Targets,
    epochs: int,
) -> list[tuple[View | None, ...]]:
    """For each prefix of ``features`` the held-out images, then each view that ``epochs`` see."""
    augment = build_augment(recipe.augment, recipe.seed)
    views = min(epochs, recipe.cache.views if augment is not None else 1)
    of_train = Images(train, recipe.image_size, augment, plain)
    opened = [features.open(Images(held_out, recipe.image_size, None, plain), 0)]
    opened += [features.open(of_train, view) for view in range(views)]
    return list(zip(*opened, strict=True))


def of_views(
    views: Sequence[View],
    targets: Targets,
    batch_size: int,
    shuffle_seed: int | None,
    first_step: int,
) -> Batches:
    """Batches of what is kept of the same examples in each of ``views``.

    Epoch ``first_step`` sees the first view, the next one the second, and so on round and round, in
    the order that :func:`~sweeper.data.batches.batches` would have.
    """
    labels = views[0].images.examples.labels
    count = len(labels)
    stored = [(view.values(), view.targets(), tf.constant(view.rows())) for view in views]

    def fetch(number: Any, places: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        def of(values: tf.Tensor, mixed: tf.Tensor | None, rows: tf.Tensor) -> Any:
            found = tf.gather(rows, places)
            wanted = targets(tf.gather(labels, places))
            if mixed is not None:
                wanted = targets.smoothed(tf.gather(mixed, found))
            return tf.cast(tf.gather(values, found), tf.float32), wanted

        turn = tf.cast((number - first_step) % len(views), tf.int32)
        features, wanted = tf.switch_case(turn, [partial(of, *one) for one in stored])
        return features, wanted

    def epoch(number: Any) -> tf.data.Dataset:
        places = shuffled(tf.data.Dataset.range(count), count, shuffle_seed, number)
        return places.batch(batch_size).map(partial(fetch, number))

    return Batches(labels, count, math.ceil(count / batch_size), epoch)
