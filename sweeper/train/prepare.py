"""Before the first trial: is everything there that the recipes need, and do they fit it?"""

import functools
from collections.abc import Iterator, Mapping, Sequence

import keras
import tensorflow as tf

from sweeper.advance import OnAdvance, no_advance
from sweeper.config import Backbone, Dataset, Freeze, Recipe, Validation, large_for
from sweeper.data.examples import Source
from sweeper.data.sources import loading
from sweeper.data.sources.naming import printable
from sweeper.data.targets import class_weights
from sweeper.errors import ConfigError, Findings
from sweeper.models.blocks import Block, find_blocks
from sweeper.models.freezing import check_freeze, split_block
from sweeper.models.pretrained.networks import build_backbone
from sweeper.models.unreached import unused_in_network
from sweeper.pictures.lettering import undrawable
from sweeper.records import Prepared
from sweeper.train.folds import hashed_split, spelled_split
from sweeper.train.optimizers.by_name import check_optimizer
from sweeper.train.runtime import numerics

SCAN = "decoding every image once, to find broken ones"


def prepare(recipes: Sequence[Recipe], on_advance: OnAdvance = no_advance) -> Prepared:
    """Fetch data and weights that ``recipes`` need, each once, and check what only they can tell.

    ``on_advance`` is called while images are looked at.

    Returns:
        What is used; and what a person should know: images left out, blocks that are split.

    Raises:
        MissingInput: something is absent and cannot be fetched; the text names all of it.
        ConfigError: a recipe does not fit its data or backbone.
    """
    numerics.use_plain_keras()
    found = Findings()
    noticed: list[str] = []
    data, networks, splits = dict[str, None](), dict[str, None](), set[str]()
    images: dict[Dataset, tuple[int, int]] = {}
    on_images = functools.partial(on_advance, SCAN)
    for dataset in dict.fromkeys(recipe.dataset for recipe in recipes):
        users = [recipe for recipe in recipes if recipe.dataset == dataset]
        with found.collected():
            noticed += loading.prepare(dataset, on_images)
            source = loading.load(dataset)
            images[dataset] = len(source.train), len(source.class_names)
            data |= dict.fromkeys(_check_data(source, users, splits))
            noticed += loading.doubts(dataset)
            noticed += _undrawable(source.class_names)
    for backbone, size in dict.fromkeys((recipe.backbone, recipe.image_size) for recipe in recipes):
        users = [recipe for recipe in recipes if recipe.backbone == backbone]
        with found.collected():
            network = build_backbone(backbone, size, None)
            blocks = find_blocks(network)
            noticed += _large(network.count_params(), images, users)
            networks[_spelled_network(network, backbone, len(blocks))] = None
            for freeze in dict.fromkeys(recipe.freeze for recipe in users):
                with found.collected():
                    check_freeze(network, freeze)
                    split = split_block(network, blocks, freeze)
                    noticed += [f"warning: {split}"] if split else []
                    noticed += _unused(network, blocks, freeze, users)
    for recipe in recipes:
        own = [phase.optimizer for phase in (recipe.phases.frozen, recipe.phases.unfrozen) if phase]
        for optimizer in [recipe.optimizer, *filter(None, own)]:
            with found.collected():
                if faults := check_optimizer(optimizer):
                    raise ConfigError(faults)
    found.raise_if_any()
    return Prepared(
        tuple(data), tuple(networks), _device(), tuple(noticed), "; ".join(sorted(splits))
    )


def _undrawable(class_names: Sequence[str]) -> list[str]:
    """A warning where pictures could not show the names of classes."""
    names = undrawable(class_names)
    if not names:
        return []
    return [
        f"warning: no font here has the letters of {len(names):,} class names ({names[0]!r}), so "
        "that pictures show □ and the numbers of the classes; install one that has them, for "
        "Chinese, Japanese and Korean Noto Sans CJK (Debian, Ubuntu: fonts-noto-cjk)"
    ]


def _spelled_network(network: keras.Model, backbone: Backbone, blocks: int) -> str:
    weights = {None: "random weights", "imagenet": "ImageNet weights"}
    given = weights.get(backbone.weights, f"weights of {backbone.weights}")
    return f"{backbone.name}: {blocks} blocks, {network.count_params():,} weights ({given})"


def _device() -> str:
    """What TensorFlow sees to compute on; asks for names only, and takes no memory of it."""
    gpus = tf.config.list_physical_devices("GPU")
    names = [
        tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus
    ]
    return f"TensorFlow {tf.__version__} sees {', '.join(names) or 'no GPU'}"


def _large(
    parameters: int, images: Mapping[Dataset, tuple[int, int]], users: Sequence[Recipe]
) -> Iterator[str]:
    """Warnings for data sets of few images a class; ``images`` has how many train, and classes."""
    for dataset in dict.fromkeys(recipe.dataset for recipe in users):
        if dataset in images:  # else it has a fault of its own
            text = large_for(parameters, *images[dataset], users[0].backbone.name)
            if text:
                yield f"warning: {text}"


def _unused(
    network: keras.Model, blocks: Sequence[Block], freeze: Freeze, users: Sequence[Recipe]
) -> Iterator[str]:
    """Warnings for keys that ``users`` set and the network makes ineffective with ``freeze``."""
    of_freeze = [recipe for recipe in users if recipe.freeze == freeze and recipe.phases.unfrozen]
    is_set = {
        "drop_connect_rate": any(recipe.drop_connect_rate is not None for recipe in of_freeze),
        "freeze.batch_norm": bool(of_freeze) and freeze.batch_norm != "frozen",
    }
    if freeze.unfreeze_blocks != 0:  # which config.unused knows without a network
        for one in unused_in_network(network, blocks, freeze):
            if is_set[one.key]:
                yield (
                    f"warning: {one.key} changes nothing {one.reason}; in a search give it a "
                    "condition (when:), see docs/search.md"
                )


def _check_data(source: Source, users: Sequence[Recipe], splits: set[str]) -> list[str]:
    """Whether heads, class weights and splits of ``users`` fit the data; what the data are.

    The splits are added to ``splits``.
    """
    found, names = Findings(), source.class_names
    spelled: list[str] = []
    hashed: dict[Validation, str] = {}
    for recipe in users:
        with found.collected():
            if recipe.head.one_logit and len(names) != 2:
                raise ConfigError(
                    [f"head.one_logit needs 2 classes, the data set has {len(names)}"]
                )
        with found.collected():
            class_weights(recipe.loss, names, source.train.labels)
        with found.collected():
            if recipe.validation not in hashed:
                hashed[recipe.validation] = hashed_split(source, recipe)
            side = recipe.image_size
            spelled.append(
                f"{_name(recipe.dataset)}: {len(names):,} classes, at {side} x {side} pixels; "
                f"{spelled_split(source, recipe)}"
            )
    found.raise_if_any()
    splits.update(hashed.values())
    return spelled


def _name(dataset: Dataset) -> str:
    of_source = getattr(dataset, "name", None) or getattr(dataset, "path", None)
    name = str(of_source or dataset.source)
    part = "" if dataset.fraction == 1 else f" (dataset.fraction={dataset.fraction:g})"
    return f"{printable(name)}{part}"
