"""The network of a recipe, built where it is needed, and what is known of it before."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import keras
from pydantic import TypeAdapter

from sweeper.config import Affects, Recipe
from sweeper.models.build import Classifier, attach_head, build_head
from sweeper.models.prefix import Prefix, PrefixSummary
from sweeper.models.pretrained.networks import build_backbone
from sweeper.train.runtime import numerics

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BackboneSummary:
    """What a trial asks of its backbone while the head alone trains on what is kept.

    Attributes:
        of: all of a recipe that it depends on.
        shape: of what the backbone gives for one image, ``[height, width, channels]``.
        dtype: number format of that.
        pooled: summary of the backbone with the head's pooling.
    """

    of: str
    shape: tuple[int, ...]
    dtype: str
    pooled: PrefixSummary


_JSON = TypeAdapter(tuple[BackboneSummary, ...])


def known_of(recipe: Recipe, backbone: keras.Model, pooled: Prefix) -> BackboneSummary:
    """What is known of ``backbone``, that of ``recipe``, and of its frozen part ``pooled``."""
    given = backbone.output
    shape = tuple(given.shape[1:])
    return BackboneSummary(backbone_key(recipe), shape, given.dtype, pooled.summary)


def to_json(known: Sequence[BackboneSummary]) -> str:
    """``known`` as text, for another process."""
    return _JSON.dump_json(tuple(known)).decode()


def find(text: str, recipe: Recipe) -> BackboneSummary | None:
    """What the ``text`` of :func:`to_json` says of the backbone of ``recipe``, if anything."""
    key = backbone_key(recipe)
    return next((known for known in _JSON.validate_json(text) if known.of == key), None)


def build_backbone_for(recipe: Recipe) -> keras.Model:
    """The backbone that ``recipe`` describes; without pretrained weights the seed's."""
    log.info("builds %s", recipe.backbone.name)
    with numerics.seeded(recipe):
        return build_backbone(recipe.backbone, recipe.image_size, recipe.drop_connect_rate)


def build_classifier_for(
    recipe: Recipe, n_classes: int, known: BackboneSummary | None = None
) -> Classifier:
    """The network that ``recipe`` describes, with a fresh head for ``n_classes``.

    Its backbone is built now, or with ``known`` when something first needs it. All numbers are the
    same either way.

    Raises:
        MissingInput: the backbone's weights are not there.
        ConfigError: the weights, the image size or the head do not fit.
    """
    if known is None:
        backbone = build_backbone_for(recipe)
        with numerics.seeded(recipe):
            return attach_head(backbone, recipe.head, n_classes)
    with numerics.seeded(recipe):
        head = build_head(recipe.head, n_classes, known.shape, known.dtype)
    build = partial(build_backbone_for, recipe)
    return Classifier(head, recipe.head.one_logit, build, known.pooled)


def backbone_key(recipe: Recipe) -> str:
    """Key that changes whenever a number in the backbone, or what is pooled of it, may change."""
    return json.dumps([recipe.only(Affects.BACKBONE), weights_version(recipe)])


def weights_version(recipe: Recipe) -> list[int] | None:
    """Size and time of a file of weights, which may be replaced while a study runs."""
    weights = recipe.backbone.weights
    path = Path(str(weights)).expanduser()
    if weights in {None, "imagenet"} or not path.exists():
        return None
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]
