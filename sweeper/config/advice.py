"""What a recipe may do but rarely should: one sentence each, for the person and the run's tags."""

from collections.abc import Iterator

from sweeper.config.data import TestSet
from sweeper.config.recipe import Recipe

_WRITING = frozenset({"mnist", "emnist", "kmnist", "svhn_cropped", "omniglot", "digits"})
"""Data sets of characters, which lose their meaning when mirrored."""

_LARGE_STEP = 1e-3
"""Of RMSprop on pretrained weights. EfficientNet-Lite0 on digits at 64 px, five blocks unfrozen for
an epoch: validation accuracy 0.955 before, 0.951 after it with steps of 1e-4, 0.48 with 1e-3 (0.45
with a rate of 1e-4 and momentum 0.9), 0.10 with 3e-3."""


def _rmsprop(recipe: Recipe) -> Iterator[str]:
    """The settings of the EfficientNet paper: momentum 0.9, a rate of 0.256 for batches of 4,096.

    That they corrupt pretrained weights is a tip of keras.io's "Image classification via
    fine-tuning with EfficientNet".
    """
    phase = recipe.phases.unfrozen
    if recipe.backbone.weights is None or phase is None or recipe.freeze.unfreeze_blocks == 0:
        return
    optimizer = phase.optimizer or recipe.optimizer
    momentum = optimizer.keywords.get("momentum", 0)
    if optimizer.name != "RMSprop" or not isinstance(momentum, int | float):
        return
    # gradients are divided by their size: what is left of them is the rate, and momentum sums it up
    if momentum >= 0.9 or phase.learning_rate / (1 - momentum) >= _LARGE_STEP:
        yield (
            f"RMSprop with momentum {momentum:g} and phases.unfrozen.learning_rate "
            f"{phase.learning_rate:g} is known to wreck pretrained weights, as the EfficientNet "
            "paper's settings do, which are for training from scratch; set optimizer=adam, or "
            f"optimizer.momentum=0 and a rate well below {_LARGE_STEP:g}"
        )


_WITHOUT_BATCH_NORM = ("VGG", "ConvNeXt")
"""Beginnings of the names of networks that have no BatchNorm."""


def _random_backbone(recipe: Recipe) -> Iterator[str]:
    """Random weights in layers that never train, or under BatchNorm that keeps mean 0, variance 1.

    With EfficientNetB0, Xception or MobileNetV2 the features of different images then differ by
    less than 1e-5 of their size, and every loss stays at ln(number of classes).
    """
    if recipe.backbone.weights is not None:
        return
    freeze, kept = recipe.freeze, []
    if recipe.phases.frozen is not None:
        kept.append("phases.frozen trains the head alone")
    blocks = recipe.backbone.blocks
    if recipe.phases.unfrozen is not None:
        if freeze.unfreeze_blocks not in ("all", blocks or "all"):
            kept.append("only some blocks are unfrozen")
        if freeze.batch_norm != "trained" and not recipe.backbone.name.startswith(
            _WITHOUT_BATCH_NORM
        ):
            kept.append(f"freeze.batch_norm={freeze.batch_norm} keeps BatchNorm at mean 0")
    if kept:
        yield (
            f"backbone.weights=null makes {recipe.backbone.name} random, and {' and '.join(kept)}: "
            "such a network hardly learns; set freeze=scratch, which trains everything from the "
            "first epoch, or backbone.weights=imagenet"
        )


def _loss_scale(recipe: Recipe) -> Iterator[str]:
    for name, phase in (("frozen", recipe.phases.frozen), ("unfrozen", recipe.phases.unfrozen)):
        optimizer = (phase and phase.optimizer) or recipe.optimizer
        if phase and optimizer.loss_scale_factor and recipe.precision == "mixed_float16":
            yield (
                f"loss_scale_factor of the optimizer of phases.{name} does nothing with "
                "precision=mixed_float16, which finds its own; leave it out"
            )


_MULTIPLE = 8
"""keras.io, "Image classification via fine-tuning with EfficientNet": sizes that it does not divide
are padded in some layers, which wastes resources, most of all in the smaller variants."""


def _side(recipe: Recipe) -> Iterator[str]:
    side = recipe.image_size
    if side % _MULTIPLE and side != recipe.backbone.resolution:
        below = side // _MULTIPLE * _MULTIPLE
        near = " or ".join(str(one) for one in (below, below + _MULTIPLE) if one >= _LEAST_SIDE)
        yield (
            f"image_size={side} is no multiple of {_MULTIPLE}: layers pad it, which costs time and "
            f"gives nothing; set {near}"
        )


_LEAST_SIDE = 32


def large_for(parameters: int, images: int, classes: int, name: str) -> str | None:
    """A warning where a large network learns from few images, else None.

    That larger variants need not be better there, and are harder to tune, is a tip of keras.io's
    "Image classification via fine-tuning with EfficientNet"; the two limits are ours: networks
    beyond EfficientNetB3, and fewer images a class than a tenth of ImageNet's thousand.

    Args:
        parameters: of the backbone.
        images: that train.
        classes: that they show.
        name: of the network.
    """
    each = images / classes
    if parameters <= _LARGE or each >= _FEW:
        return None
    return (
        f"{name} has {parameters / 1e6:.0f} million weights for {each:.0f} images a class: larger "
        "networks are harder to tune and seldom better on so few; try a smaller one beside it, "
        "such as backbone=efficientnet_b0"
    )


_LARGE = 11_000_000
_FEW = 100


def warnings(recipe: Recipe) -> tuple[str, ...]:
    """Everything in ``recipe`` that is known to mislead."""
    found = [*_rmsprop(recipe), *_random_backbone(recipe), *_loss_scale(recipe), *_side(recipe)]
    pretrained = recipe.backbone.weights is not None
    if isinstance(recipe.validation, TestSet):
        found.append(
            "validation=test selects on the test set, as many tutorials do: its accuracy is then "
            "no estimate of accuracy on new images; validation=split keeps it honest"
        )
    if recipe.freeze.batch_norm == "trained" and pretrained:
        found.append(
            "freeze.batch_norm=trained loses the pretrained BatchNorm statistics on small batches; "
            "set freeze.batch_norm=frozen"
        )
    name = getattr(recipe.dataset, "name", recipe.dataset.source)
    if recipe.augment.flip != "none" and str(name).split("/")[0].split(":")[0] in _WRITING:
        found.append(f"augment.flip={recipe.augment.flip} mirrors the characters of {name}")
    return tuple(found)
