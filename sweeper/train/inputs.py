"""What each phase trains on: images, or what frozen layers make of them."""

import contextlib
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import tensorflow as tf

from sweeper.cache.shared_cache import Cache
from sweeper.config import Freeze, Phase, Recipe
from sweeper.data.augment.augmentation import build_augment
from sweeper.data.batches import Batches, batches, shuffled
from sweeper.data.examples import Examples
from sweeper.data.targets import Targets
from sweeper.models.build import Classifier
from sweeper.models.split_model import Change, SplitModel
from sweeper.train.frozen.features import Features
from sweeper.train.frozen.views import Images, View

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inputs:
    """A model and what it is fed; ``augment`` changes each training batch, or is None.

    ``steps_per_execution`` is how many steps TensorFlow takes without coming back to Python.
    """

    model: SplitModel
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
        whole: as for :func:`images_of`.
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
        whole: Examples | None = None,
    ) -> None:
        self._recipe = recipe
        self._classifier = classifier
        self._train, self._held_out = train, held_out
        self._targets = targets
        self._plain = Targets(targets.n_classes, targets.one_logit)
        self._kept: dict[str, list[View]] = {}
        self.computed_seconds = 0.0
        """What was computed of the frozen parts here, and is kept, took so long."""
        if recipe.cache.views:
            self._open_features(cache, held, whole)

    def of(self, planned: PlannedPhase, first_step: int) -> Inputs:
        """What the phase trains on; its first epoch has the number ``first_step``."""
        size, seed = self._recipe.batch_size, self._recipe.seed
        kept = self._kept.get(planned.name)
        parts = self._classifier.split(planned.freeze) if kept else None
        if kept is None or parts is None:
            model = self._classifier.split_model(planned.freeze)
            side = self._recipe.image_size
            train = batches(self._train, side, size, target=self._targets, shuffle_seed=seed)
            held_out = batches(self._held_out, side, size, target=self._plain, shuffle_seed=None)
            return Inputs(model, train, held_out, build_augment(self._recipe.augment, seed), 1)
        _, rest = parts
        of_held_out, *views = kept
        train = of_views(views, self._train, self._targets, size, seed, first_step)
        validation = of_views([of_held_out], self._held_out, self._plain, size, None, 0)
        return Inputs(rest, train, validation, None, train.steps)

    def seconds_of_epoch(self, name: str) -> float:
        """What the frozen part would take in each epoch of the phase, were it not kept."""
        if name not in self._kept:
            return 0.0
        of_held_out, *views = self._kept[name]
        train = sum(view.seconds_of(self._train) for view in views) / len(views)
        return train + of_held_out.seconds_of(self._held_out)

    def _open_features(
        self, cache: Cache, held: contextlib.ExitStack, whole: Examples | None
    ) -> None:
        recipe, phases = self._recipe, planned(self._recipe)
        split = [(phase, self._classifier.split(phase.freeze)) for phase in phases]
        frozen = [(phase, parts[0]) for phase, parts in split if parts is not None]
        epochs = max((phase.phase.epochs for phase, _ in frozen), default=0)
        images = images_of(recipe, self._train, self._held_out, self._plain, epochs, whole)
        if not images:
            return
        features = Features(cache, [prefix for _, prefix in frozen], recipe.precision)
        # the held-out images, and as many views as the phase has epochs
        wanted = [images[: 1 + phase.phase.epochs] for phase, _ in frozen]
        opened = features.open(wanted, held)
        self._kept = {
            phase.name: views for (phase, _), views in zip(frozen, opened, strict=True) if views
        }
        self.computed_seconds = features.seconds


def images_of(
    recipe: Recipe,
    train: Examples,
    held_out: Examples,
    plain: Targets,
    epochs: int,
    whole: Examples | None,
) -> list[Images]:
    """The held-out images, then training images in each view that ``epochs`` epochs see.

    Empty where there is no epoch, or the source cannot say what its images are. They are all of
    ``whole`` where that can be, and so the same in every fold.

    Args:
        recipe: how images are resized and augmented, and in how many views.
        train: examples to learn from.
        held_out: examples to validate by.
        plain: what labels become, without smoothing.
        epochs: how many there are.
        whole: what both are a fold of; None where there are no folds.
    """
    augment = build_augment(recipe.augment, recipe.seed)
    views = min(epochs, recipe.cache.views if augment is not None else 1)
    if not views:
        return []
    if whole is not None:
        held_out = whole
        # what is mixed must not see what validates
        train = train if augment is not None and augment.mixes else whole
    try:
        words = [examples.fingerprint() for examples in (held_out, train)]
    except OSError as error:  # reading the image will say so, where it is needed
        log.warning("what frozen layers give is not kept: %s", error)
        return []
    of_held_out, of_train = words
    if of_held_out is None or of_train is None:
        return []
    side = recipe.image_size
    return [
        Images(held_out, of_held_out, side, None, plain),
        *(Images(train, of_train, side, augment, plain, view) for view in range(views)),
    ]


def of_views(
    views: Sequence[View],
    examples: Examples,
    targets: Targets,
    batch_size: int,
    shuffle_seed: int | None,
    first_step: int,
) -> Batches:
    """Batches of what is kept of ``examples`` in each of ``views``.

    Epoch ``first_step`` sees the first view, the next one the second, and so on round and round, in
    the order that :func:`~sweeper.data.batches.batches` would have.
    """
    labels = examples.labels
    count = len(labels)
    with tf.device("CPU"):
        orders = tf.concat([view.rows_of(examples) for view in views], 0)

    def fetch(number: Any, places: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.device("CPU"):  # the files stay where they are
            turn = (number - first_step) % len(views)
            rows = tf.gather(orders, turn * count + places)

            def of_turn(files: Sequence[tf.Tensor]) -> tf.Tensor:
                choices = [partial(tf.gather, file, rows) for file in files]
                return tf.switch_case(tf.cast(turn, tf.int32), choices)

            values = tf.cast(of_turn([view.values for view in views]), tf.float32)
            mixed = [view.targets for view in views if view.targets is not None]
            if mixed:
                return values, targets.smoothed(of_turn(mixed))
            return values, targets(tf.gather(labels, places))

    def epoch(number: Any) -> tf.data.Dataset:
        places = shuffled(tf.data.Dataset.range(count), count, shuffle_seed, number)
        return places.batch(batch_size).map(partial(fetch, number))

    return Batches(labels, count, math.ceil(count / batch_size), epoch)
