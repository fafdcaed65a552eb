"""What every trial of a sweep shares, computed before the first one, on all processors."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

import keras

from sweeper.cache.store import Cache
from sweeper.config import Freeze, Recipe
from sweeper.data.images import kept
from sweeper.data.sources import load
from sweeper.data.targets import Targets
from sweeper.models.backbones import build_backbone
from sweeper.models.build import attach_head
from sweeper.paths import entries_dir
from sweeper.train import numerics
from sweeper.train.features import Features
from sweeper.train.folds import splits_of
from sweeper.train.inputs import open_all, planned


def prebuild(recipes: Sequence[Recipe]) -> float:
    """Keep the features that trials within the corners ``recipes`` need, if all need the same.

    Where trials differ in data, backbone or augmentation, few may need the same: each computes what
    it needs. Where they differ in how much is unfrozen, every cut between the extremes is kept, all
    in one pass over the images.

    Returns:
        Seconds that went into frozen layers.
    """
    first = recipes[0]
    if not first.cache.views or any(_images(recipe) != _images(first) for recipe in recipes):
        return 0.0
    numerics.set_up(first)
    cache = Cache(entries_dir(), int(first.cache.budget_gb * 1e9))
    source = load(first.dataset)
    n_classes = len(source.class_names)
    prefixes = _prefixes(recipes, n_classes)
    epochs = max(phase.phase.epochs for recipe in recipes for phase in planned(recipe))
    with contextlib.ExitStack() as held:
        train = held.enter_context(kept(cache, source.train, first.image_size))
        features = Features(cache, held, prefixes, first.precision)
        for part, held_out in splits_of(replace(source, train=train), first):
            plain = Targets(n_classes, first.head.one_logit)
            open_all(features, first, part, held_out, plain, epochs)
        return features.seconds


def _images(recipe: Recipe) -> tuple[object, ...]:
    """All that the images and their way through the backbone depend on."""
    return (
        recipe.dataset,
        recipe.validation,
        recipe.augment,
        recipe.image_size,
        recipe.seed,
        recipe.backbone,
        recipe.precision,
        recipe.head.one_logit,
        recipe.cache,
    )


def _prefixes(recipes: Sequence[Recipe], n_classes: int) -> list[keras.Model]:
    """Every frozen part that trials may have, from the lowest cut to the highest."""
    backbone = build_backbone(recipes[0].backbone, recipes[0].image_size, None)
    found: dict[tuple[Freeze | None, str], keras.Model] = {}
    for recipe in recipes:
        classifier = attach_head(backbone, recipe.head, n_classes)
        freezes = [phase.freeze for phase in planned(recipe)]
        for freeze in [*freezes, *_between(recipes)]:
            # pooling ends the frozen part only where nothing is unfrozen
            wanted = (freeze, recipe.head.pooling if freeze is None else "")
            parts = None if wanted in found else classifier.trainer(freeze).split()
            if parts is not None:
                found[wanted] = parts[0]
    return sorted(found.values(), key=lambda prefix: len(prefix.operations))


def _between(recipes: Sequence[Recipe]) -> Iterator[Freeze]:
    """The numbers of unfrozen blocks between those of ``recipes``, which are extremes."""
    freezes = [phase.freeze for recipe in recipes for phase in planned(recipe) if phase.freeze]
    counted = {
        freeze.unfreeze_blocks: freeze
        for freeze in freezes
        if isinstance(freeze.unfreeze_blocks, int)
    }
    for count in range(min(counted, default=0), max(counted, default=0)):
        yield counted[min(counted)].model_copy(update={"unfreeze_blocks": count})
