"""The network: backbone, head, and how much of the backbone trains."""

from typing import Annotated, Literal, Self

from omegaconf import OmegaConf
from pydantic import BeforeValidator, Field, field_validator, model_validator

from sweeper import keras_api
from sweeper.config.affects import NOTHING, TRAINING, Affects
from sweeper.config.fields import Closed, Count, Fraction, NotNegative, Positive, one_of

LITE0 = "EfficientNetLite0"
"""The one backbone that is not in ``keras.applications``; ``models/pretrained/lite0.py`` has it."""

SCALED = "EfficientNet"
"""Any member of the EfficientNet family, by its compound scaling coefficients."""


def compound(base: float, factor: float, phi: float) -> float:
    """``base * factor ** phi``, a whole number where ``base`` is one (Tan & Le 2019, section 3.3).

    The resolver ``${compound:...}`` of recipes.

    >>> compound(224, 1.15, 1.0), compound(1.0, 1.5, 2.0)
    (258, 2.25)
    """
    scaled = float(base * factor**phi)
    return round(scaled) if isinstance(base, int) else scaled


OmegaConf.register_new_resolver("compound", compound, replace=True)


class Backbone(Closed):
    """A network without its classifier; one YAML each under ``conf/backbone/``.

    Attributes:
        name: of a network of ``keras.applications``, or EfficientNetLite0.
        resolution: side in pixels of the images that it was trained with.
        blocks: how many :func:`sweeper.models.blocks.find_blocks` finds, here so that a recipe can
            be checked, and a search bounded, without the network; null where it depends on other
            keys.
        preprocessing: what ImageNet images in [0, 255] went through in training, by the names of
            ``keras.applications.imagenet_utils``: ``tf`` (to [-1, 1]), ``torch`` (to [0, 1], then
            mean and deviation of ImageNet), ``caffe`` (BGR, ImageNet's mean taken off), ``none``
            (the network does it itself).
        stochastic_depth: whether it has layers that drop_connect_rate acts on.
        weights: imagenet, a file, or null for random ones.
        width_coefficient: of efficientnet_scaled: times the channels of EfficientNet-B0.
        depth_coefficient: of efficientnet_scaled: times the layers of EfficientNet-B0.
        phi: the compound coefficient that efficientnet_scaled derives its size from.
    """

    name: str
    resolution: Annotated[int, Field(ge=32), NOTHING]
    blocks: Annotated[Count | None, NOTHING]
    preprocessing: Literal["none", "tf", "torch", "caffe"]
    stochastic_depth: Annotated[bool, NOTHING]
    weights: str | None
    width_coefficient: Positive | None = None
    depth_coefficient: Positive | None = None
    phi: Annotated[float | None, NOTHING] = None

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        return one_of(name, [*keras_api.application_names(), LITE0, SCALED], "a network")

    @model_validator(mode="after")
    def _scaled_from_scratch(self) -> Self:
        coefficients = (self.width_coefficient, self.depth_coefficient)
        if self.name != SCALED and (*coefficients, self.phi) != (None, None, None):
            raise ValueError(
                "width_coefficient, depth_coefficient and phi are for "
                f"backbone=efficientnet_scaled; {self.name} has its own"
            )
        if self.name == SCALED and None in coefficients:
            raise ValueError(f"{SCALED} needs width_coefficient and depth_coefficient")
        if self.name == SCALED and self.weights == "imagenet":
            raise ValueError(
                f"there are no ImageNet weights of a scaled {SCALED}; train it from scratch with "
                "freeze=scratch"
            )
        return self


Pooling = Literal["avg", "max", "flatten"]


class Head(Closed):
    """What turns the backbone's last activation into logits, in the order of the attributes.

    Attributes:
        pooling: mean or maximum of each channel, or ``flatten``: the activation whole.
        batch_norm: BatchNormalization.
        hidden: units of one Dense layer with ReLU; null for none.
        dropout: rate before the last Dense layer, which gives the logits.
        one_logit: two classes share one logit, instead of one each.
        l2: added to the training loss for each squared weight of the Dense layers, not of biases.
    """

    pooling: Annotated[Pooling, Affects.BACKBONE | TRAINING]
    batch_norm: Annotated[bool, TRAINING]
    hidden: Annotated[Count | None, TRAINING]
    dropout: Annotated[Fraction, TRAINING]
    one_logit: Annotated[bool, Affects.IMAGES | TRAINING]
    l2: Annotated[NotNegative, TRAINING] = 0.0


def _blocks(value: object) -> object:
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if not whole and value not in ("all", None):
        raise ValueError(f"must be a whole number >= 0 or 'all', got {value!r}")
    return value


class Freeze(Closed):
    """What of the backbone trains in the unfrozen phase: one of the three, the others null.

    Attributes:
        unfreeze_blocks: how many blocks, counted from the top.
        unfreeze_from: everything from this block, or the block of this layer, up to the top.
        unfreeze_layers: how many layers, counted from the top as ``model.layers[-n:]`` does.
        batch_norm: what BatchNorm of unfrozen layers does. ``frozen``: nothing. ``affine``: scale
            and offset learn, while the statistics stay and are used, as with Keras'
            ``base_model(x, training=False)``. ``trained``: it normalizes by the batch's statistics
            and its own follow them.
        scratch: no pretrained weights, one phase; chosen with freeze=scratch.
    """

    unfreeze_blocks: Annotated[int | Literal["all"] | None, BeforeValidator(_blocks)]
    unfreeze_from: str | None
    unfreeze_layers: Count | None
    batch_norm: Literal["frozen", "affine", "trained"]
    scratch: bool

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = {
            "unfreeze_blocks": self.unfreeze_blocks,
            "unfreeze_from": self.unfreeze_from,
            "unfreeze_layers": self.unfreeze_layers,
        }
        given = {key: value for key, value in ways.items() if value is not None}
        if len(given) != 1:
            got = ", ".join(f"{key}={value}" for key, value in given.items()) or "none"
            raise ValueError(f"must set one of {', '.join(ways)} and the others to null, got {got}")
        if self.scratch and self.unfreeze_blocks != "all":
            ((key, value),) = given.items()
            raise ValueError(
                f"asks for {key}={value} from scratch, where blocks that stay frozen would stay "
                "random; set freeze.unfreeze_blocks=all"
            )
        return self
