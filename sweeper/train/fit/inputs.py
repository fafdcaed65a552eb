"""What each phase trains on: images, or what frozen layers make of them."""

import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sweeper.cache.shared_cache import Cache
from sweeper.config import Recipe
from sweeper.data.augment.augmentation import build_augment
from sweeper.data.batches import Batches, batches
from sweeper.data.examples import Examples
from sweeper.data.images import OnImages, no_callback
from sweeper.data.targets import Targets
from sweeper.models.build import Classifier
from sweeper.models.split_model import Change, SplitModel
from sweeper.train.fit.stages import PlannedPhase, planned
from sweeper.train.frozen.features import Features
from sweeper.train.frozen.view_batches import of_views
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
class Feed:
    """Inputs for each phase of one fine-tune; :meth:`open` makes it.

    Attributes:
        recipe: what is trained.
        classifier: the network.
        train: examples to learn from.
        held_out: examples to validate by.
        targets: what labels become in training.
        kept: by the name of a phase, views of what its frozen part gives: of the held-out images,
            then of the training images. A phase that is not here is fed images.
        computed_seconds: what was computed of the frozen parts here, and is kept, took so long.
    """

    recipe: Recipe
    classifier: Classifier
    train: Examples
    held_out: Examples
    targets: Targets
    kept: Mapping[str, Sequence[View]]
    computed_seconds: float

    @classmethod
    def open(
        cls,
        recipe: Recipe,
        classifier: Classifier,
        train: Examples,
        held_out: Examples,
        targets: Targets,
        cache: Cache,
        held: contextlib.ExitStack,
        whole: Examples | None = None,
        on_images: OnImages = no_callback,
    ) -> "Feed":
        """Open what ``cache`` keeps, and compute what it lacks.

        Args:
            recipe: what is trained.
            classifier: the network.
            train: examples to learn from.
            held_out: examples to validate by.
            targets: what labels become in training.
            cache: where features are kept.
            held: takes what is in use of the cache.
            whole: as for :func:`images_of`.
            on_images: called as images go through frozen layers here.
        """
        parts = recipe, classifier, train, held_out, targets
        if not recipe.cache.views:
            return cls(*parts, {}, 0.0)
        split = [(phase, classifier.split(phase.freeze)) for phase in planned(recipe)]
        frozen = [(phase, prefix[0]) for phase, prefix in split if prefix is not None]
        epochs = max((phase.phase.epochs for phase, _ in frozen), default=0)
        images = images_of(recipe, train, held_out, targets.plain, epochs, whole)
        if not images:
            return cls(*parts, {}, 0.0)
        prefixes = [prefix for _, prefix in frozen]
        features = Features(cache, prefixes, recipe.precision, on_images)
        # the held-out images, and as many views as the phase has epochs
        wanted = [images[: 1 + phase.phase.epochs] for phase, _ in frozen]
        opened = zip(frozen, features.open(wanted, held), strict=True)
        kept = {phase.name: views for (phase, _), views in opened if views}
        return cls(*parts, kept, features.computing.seconds)

    def of(self, planned: PlannedPhase, first_step: int) -> Inputs:
        """What the phase trains on; its first epoch has the number ``first_step``."""
        parts = self.classifier.split(planned.freeze) if planned.name in self.kept else None
        if parts is None:
            return self._of_images(self.classifier.split_model(planned.freeze))
        return self._of_views(parts[1], self.kept[planned.name], first_step)

    def seconds_of_epoch(self, name: str) -> float:
        """What the frozen part would take in each epoch of the phase, were it not kept."""
        if name not in self.kept:
            return 0.0
        of_held_out, *views = self.kept[name]
        train = sum(view.seconds_of(self.train) for view in views) / len(views)
        return train + of_held_out.seconds_of(self.held_out)

    def _of_images(self, model: SplitModel) -> Inputs:
        recipe, side, size = self.recipe, self.recipe.image_size, self.recipe.batch_size
        train = batches(self.train, side, size, target=self.targets, shuffle_seed=recipe.seed)
        plain = self.targets.plain
        held_out = batches(self.held_out, side, size, target=plain, shuffle_seed=None)
        return Inputs(model, train, held_out, build_augment(recipe.augment, recipe.seed), 1)

    def _of_views(self, model: SplitModel, kept: Sequence[View], first_step: int) -> Inputs:
        size, seed = self.recipe.batch_size, self.recipe.seed
        of_held_out, *views = kept
        train = of_views(views, self.train, self.targets, size, seed, first_step)
        plain = self.targets.plain
        validation = of_views([of_held_out], self.held_out, plain, size, None, 0)
        return Inputs(model, train, validation, None, train.steps)


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
        hashes = [examples.fingerprint() for examples in (held_out, train)]
    except OSError as error:  # reading the image will say so, where it is needed
        log.warning("what frozen layers give is not kept: %s", error)
        return []
    of_held_out, of_train = hashes
    if of_held_out is None or of_train is None:
        return []
    side = recipe.image_size
    return [
        Images(held_out, of_held_out, side, None, plain),
        *(Images(train, of_train, side, augment, plain, view) for view in range(views)),
    ]
