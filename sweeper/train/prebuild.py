"""What every trial of a sweep shares, computed before the first one, on all processors."""

import contextlib
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sweeper.advance import OnAdvance, no_advance
from sweeper.cache.shared_cache import Cache
from sweeper.config import Affects, Freeze, Pooling, Recipe
from sweeper.data.images import kept
from sweeper.data.sources.loading import load
from sweeper.data.targets import Targets
from sweeper.models.build import attach_head
from sweeper.models.prefix import Prefix
from sweeper.paths import entries_dir
from sweeper.train.building import BackboneSummary, build_backbone_for, known_of
from sweeper.train.fit.inputs import images_of
from sweeper.train.fit.stages import planned
from sweeper.train.folds import splits_of
from sweeper.train.frozen.features import Features
from sweeper.train.runtime import numerics

DECODING = "decoding images"
FROZEN = "computing features for all trials: images (each view) through frozen layers"


@dataclass(frozen=True)
class Prebuilt:
    """What was done before the trials.

    Attributes:
        seconds: that went into frozen layers.
        known: what trials need not build these to know.
        computed: how many images went through them; each view of an image counts as one.
        reused: how many need not, since earlier sweeps had these images.
    """

    seconds: float = 0.0
    known: tuple[BackboneSummary, ...] = ()
    computed: int = 0
    reused: int = 0


def prebuild(recipes: Sequence[Recipe], on_advance: OnAdvance = no_advance) -> Prebuilt:
    """Keep the features that trials within the corners ``recipes`` need, if all need the same.

    Where trials differ in data, backbone or augmentation, few may need the same: each computes what
    it needs. Where they differ in how much is unfrozen, every cut between the extremes is kept, all
    in one pass over the images. ``on_advance`` is called after each batch.
    """
    first = recipes[0]
    if not first.cache.views or any(_alike(recipe) != _alike(first) for recipe in recipes):
        return Prebuilt()
    numerics.set_up(first)
    cache = Cache(entries_dir(), int(first.cache.budget_gb * 1e9))
    source = load(first.dataset)
    n_classes = len(source.class_names)
    plain = Targets(n_classes, first.head.one_logit)
    with contextlib.ExitStack() as held:
        decoded = functools.partial(on_advance, DECODING)
        train = held.enter_context(kept(cache, source.train, first.image_size, decoded))
        splits = splits_of(replace(source, train=train), first)
        prefixes, known = _prefixes(recipes, n_classes)
        longest = max((epochs for _, epochs in prefixes), default=0)
        whole = train if len(splits) > 1 else None
        images = [images_of(first, *split, plain, longest, whole) for split in splits]
        networks = [prefix for prefix, _ in prefixes]
        passed = functools.partial(on_advance, FROZEN)
        features = Features(cache, networks, first.precision, passed)
        wanted = [
            [one for of_split in images for one in of_split[: 1 + epochs]] for _, epochs in prefixes
        ]
        features.open(wanted, held)
        done = features.computing
        return Prebuilt(done.seconds, tuple(known), done.computed, done.reused)


def _alike(recipe: Recipe) -> Mapping[str, object]:
    """All that the images and their way through the backbone depend on."""
    return recipe.only(Affects.IMAGES | Affects.FEATURES)


def _prefixes(
    recipes: Sequence[Recipe], n_classes: int
) -> tuple[list[tuple[Prefix, int]], list[BackboneSummary]]:
    """Every frozen part that trials may have, and the most epochs that they have it for.

    And what is known of those that end with pooling.
    """
    first = recipes[0]
    backbone = build_backbone_for(first)
    epochs: dict[tuple[Freeze | None, Pooling], int] = {}
    for recipe in recipes:
        # of the head it is pooling that ends a frozen part, where no block is unfrozen
        pooling = recipe.head.pooling
        for phase in planned(recipe):
            between = _between(recipes) if phase.freeze is not None else ()
            for freeze in (phase.freeze, *between):
                longest = epochs.get((freeze, pooling), 0)
                epochs[freeze, pooling] = max(longest, phase.phase.epochs)
    found: list[tuple[Prefix, int]] = []
    known: list[BackboneSummary] = []
    for (freeze, pooling), count in epochs.items():
        head = first.head.model_copy(update={"pooling": pooling})
        parts = attach_head(backbone, head, n_classes).split(freeze)
        if parts is not None:
            prefix, _ = parts
            found.append((prefix, count))
            if freeze is None and pooling != "flatten":
                one = first.model_copy(update={"head": head})
                known.append(known_of(one, backbone, prefix))
    return found, known


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
