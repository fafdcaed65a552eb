"""A changed key of the recipe has the effects that it declares, seen in what is computed."""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from changes import BASE, CHANGES
from hypothesis import given, settings
from hypothesis import strategies as st
from models.networks import random_images, tiny_backbone
from recipes import recipe

from sweeper.cache.shared_cache import Cache
from sweeper.config import TRAINING, Affects, Recipe
from sweeper.config.affects import declared
from sweeper.data.sources.loading import load
from sweeper.data.targets import Targets
from sweeper.models.build import attach_head
from sweeper.models.prefix import PrefixSummary
from sweeper.paths import entries_dir
from sweeper.train.building import build_backbone_for
from sweeper.train.fit.checkpoint import Checkpoint, Saved
from sweeper.train.fit.fine_tune import FineTune
from sweeper.train.fit.inputs import Feed, images_of
from sweeper.train.fit.stages import stage_keys
from sweeper.train.folds import splits_of
from sweeper.train.frozen.view_images import Missing, ViewImages
from sweeper.train.runtime import numerics

DECLARED = declared(Recipe)
NETWORK = ("backbone.", "image_size")
"""Keys whose effect on training is that of the features; training is tried on a tiny network."""
OBSERVED = ~(Affects.RANKING | Affects.RECORD | Affects.AFTERWARDS | Affects.PLACE)
Seen = Mapping[Affects, str]
NOT_SEEN_HERE = {
    # they end a trial
    "sanity.initial_excess",
    "sanity.first_epoch_excess",
    # of a recipe without drop_connect_rate
    "backbone.stochastic_depth",
    # the processor alone, where both change nothing
    "jit_compile",
    "deterministic",
    # of a GPU and float16
    "optimizer.loss_scale_factor",
}


@pytest.fixture(autouse=True)
def number_format() -> Iterator[None]:
    """The one that other tests expect, after those that set their own."""
    yield
    numerics.set_up(recipe())


def digest(*values: Any) -> str:
    seen = hashlib.sha256()
    for value in values:
        seen.update(np.ascontiguousarray(value).tobytes())
    return seen.hexdigest()


def images_seen(made: Recipe) -> str:
    """Of all images and targets that frozen layers see in all views, in their order."""
    source = load(made.dataset)
    plain = Targets(10, made.head.one_logit)
    epochs = 3
    seen = []
    for train, held_out in splits_of(source, made):
        for images in images_of(made, train, held_out, plain, epochs, None):
            for _, pixels, targets in ViewImages().inputs(images, Missing.all_of(images)):
                seen += [np.asarray(pixels), np.asarray(targets)]
    return digest(*seen)


def features_given(made: Recipe) -> tuple[str, str]:
    """Of what the frozen backbone gives for some images, and of how it is built."""
    numerics.set_up(made)
    backbone = build_backbone_for(made)
    given = backbone(random_images(made.image_size), training=False)
    parts = attach_head(backbone, made.head, 10).split(None)
    assert parts is not None
    config = json.dumps(backbone.get_config(), default=str)
    built = digest(config.encode(), str(PrefixSummary.of(parts[0].network)).encode())
    return digest(given), built


def learned(made: Recipe, folder: Path) -> tuple[str, str]:
    """Of what a network of three blocks has learned after each phase."""
    numerics.set_up(made)
    source = load(made.dataset)
    train, held_out = splits_of(source, made)[0]
    targets = Targets.to_train(made.head, made.loss, source.class_names, train.labels)
    backbone = tiny_backbone()
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = made.drop_connect_rate
    classifier = attach_head(backbone, made.head, 10)
    after: dict[str, str] = {}

    class Last(Checkpoint):
        def save(self, saved: Saved) -> None:
            after[saved.phase] = digest(*saved.state.kept)

    with contextlib.ExitStack() as held:
        small = made.model_copy(update={"image_size": 8})
        feed = Feed.open(
            small, classifier, train, held_out, targets, Cache(entries_dir(), 10**9), held
        )
        tune = FineTune(made, classifier, feed, Last(folder / "trial.npz", stage_keys(made)))
        outcome = tune.run(lambda *_: None, lambda _: None)
    return after["frozen"], digest(*outcome.learned)


BESIDE = {
    "seed": ("backbone.weights=null",),  # pretrained weights have no seed
    "phases.unfrozen.epochs": ("early_stopping.patience=null", "early_stopping.restore_best=false"),
    "early_stopping.patience": ("early_stopping.min_delta=0.3",),
    "early_stopping.monitor": ("phases.frozen.learning_rate=0.1",),
    "early_stopping.restore_best": ("phases.frozen.learning_rate=0.1",),
}
"""Overrides without which a key has not all of its effects."""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Seen]:
    """What is observed of the base recipe with some overrides, computed once."""
    return cache(lambda *lines: observed(recipe(*BASE, *lines), tmp_path_factory.mktemp("run")))


def observed(made: Recipe, folder: Path) -> Seen:
    features, built = features_given(made)
    frozen, unfrozen = learned(made, folder)
    return {
        Affects.IMAGES: images_seen(made),
        Affects.FEATURES: features,
        Affects.BACKBONE: built,
        Affects.FROZEN: frozen,
        Affects.UNFROZEN: unfrozen,
    }


def check(key: str, seen: Callable[..., Seen]) -> None:
    own = DECLARED[key] if key in DECLARED else DECLARED[f"{key}.name"]
    if own & Affects.FROZEN:
        own |= Affects.UNFROZEN  # which begins from what the frozen phase has learned
    if key.startswith(NETWORK):  # the network of three blocks stays as it is
        own &= ~TRAINING
    beside = BESIDE.get(key, ())
    before, after = seen(*beside), seen(*beside, CHANGES[key])
    assert {effect for effect in after if after[effect] != before[effect]} == set(own & OBSERVED)


KEYS = sorted(CHANGES.keys() - NOT_SEEN_HERE)


@pytest.mark.more
@pytest.mark.slow
@settings(max_examples=1, deadline=None)
@given(key=st.sampled_from(KEYS))
def test_a_key_has_the_effects_that_it_declares(key: str, seen: Callable[..., Seen]) -> None:
    check(key, seen)


@pytest.mark.more
@pytest.mark.parametrize("key", KEYS)
def test_every_key_has_the_effects_that_it_declares(key: str, seen: Callable[..., Seen]) -> None:
    check(key, seen)
