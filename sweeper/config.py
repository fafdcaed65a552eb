"""The recipe: a typed, closed, frozen configuration, checked before TensorFlow is imported.

:func:`sweeper.validation.parse` makes a :class:`Recipe` from what Hydra composed. What each key
means stands beside it in ``conf/``.
"""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Strict,
    ValidationInfo,
    field_validator,
    model_validator,
)

from sweeper import keras_api

LITE0 = "EfficientNetLite0"
"""The one backbone that is not in ``keras.applications``; see :mod:`sweeper.models.lite0`."""


def nearest(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the closest known name, or nothing when none is close."""
    names = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.5)
    return f"; did you mean '{names[close[0]]}'?" if close else ""


def one_of(word: str, known: Iterable[str], what: str) -> str:
    """Return ``word`` if it is known; raise ValueError naming the nearest that is."""
    names = list(known)
    if word not in names:
        hint = nearest(word, names) or f"; known: {', '.join(names)}"
        raise ValueError(f"must name {what}, got {word!r}{hint}")
    return word


def _blocks(value: object) -> object:
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if not whole and value != "all":
        raise ValueError(f"must be a whole number >= 0 or 'all', got {value!r}")
    return value


Fraction = Annotated[float, Field(ge=0, lt=1)]
Share = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
File = Annotated[Path, Strict(False)]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Backbone(_Closed):
    """A network without its classifier; one YAML each under ``conf/backbone/``.

    ``blocks`` is how many :func:`sweeper.models.blocks.find_blocks` finds, here so that a recipe
    can be checked, and a search bounded, without the network.
    """

    name: str
    resolution: Annotated[int, Field(ge=32)]
    blocks: Annotated[int, Field(ge=1)]
    input_range: Literal["0..255", "-1..1"]
    stochastic_depth: bool
    weights: str | None

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        return one_of(name, [*keras_api.application_names(), LITE0], "a network")


class _Dataset(_Closed):
    validation_fraction: Share
    test_fraction: Share
    split_seed: Annotated[int, Field(ge=0)]


class Digits(_Dataset):
    """scikit-learn's 1,797 handwritten digits."""

    source: Literal["digits"]


class Tfds(_Dataset):
    """A data set of tensorflow-datasets, by name."""

    source: Literal["tfds"]
    name: str
    data_dir: File | None
    train_split: str
    test_split: str | None
    image_key: str
    label_key: str


class Folder(_Dataset):
    """Images in one folder a class, with or without ``train/`` and ``test/`` above them."""

    source: Literal["folder"]
    path: File


Dataset = Annotated[Digits | Tfds | Folder, Discriminator("source")]


class Augment(_Closed):
    """Random changes of training images; every number is a fraction, 0 switches it off."""

    flip: Literal["none", "horizontal", "vertical", "horizontal_and_vertical"]
    rotation: Fraction
    translation: Fraction
    zoom: Fraction
    contrast: Fraction


class Head(_Closed):
    """What turns the backbone's last activation into logits."""

    pooling: Literal["avg", "max"]
    batch_norm: bool
    dropout: Fraction
    one_logit: bool


class Freeze(_Closed):
    """How many blocks, counted from the top, train in the unfrozen phase."""

    unfreeze_blocks: Annotated[int | Literal["all"], BeforeValidator(_blocks)]


class Optimizer(_Closed):
    """A class of ``keras.optimizers`` and its keywords, by their Keras names."""

    model_config = ConfigDict(extra="allow")

    name: str
    learning_rate: Positive

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        return one_of(name, keras_api.optimizer_names(), "an optimizer of keras.optimizers")

    @model_validator(mode="after")
    def _keywords_exist(self) -> Self:
        known = keras_api.optimizer_keywords(self.name)
        unknown = sorted(set(self.keywords) - known)
        if unknown:
            raise ValueError(
                "; ".join(f"{self.name} takes no '{key}'{nearest(key, known)}" for key in unknown)
            )
        return self

    @property
    def keywords(self) -> dict[str, Any]:
        """Constructor arguments beside the learning rate."""
        return dict(self.model_extra or {})


class Constant(_Closed):
    """The learning rate of a phase stays, after a warm-up of this many epochs."""

    name: Literal["constant"]
    warmup_epochs: Annotated[int, Field(ge=0)]


class Cosine(_Closed):
    """Warm-up, then half a cosine down to ``final_fraction`` of the rate at the phase's end."""

    name: Literal["cosine"]
    warmup_epochs: Annotated[int, Field(ge=0)]
    final_fraction: Annotated[float, Field(ge=0, le=1)]


Schedule = Annotated[Constant | Cosine, Discriminator("name")]


class Phase(_Closed):
    """One call of ``fit``."""

    epochs: Annotated[int, Field(ge=1)]
    learning_rate: Positive


class Phases(_Closed):
    """The frozen phase, then the unfrozen one; ``null`` skips a phase."""

    frozen: Phase | None
    unfrozen: Phase | None

    @model_validator(mode="after")
    def _one_at_least(self) -> Self:
        if self.frozen is None and self.unfrozen is None:
            raise ValueError("are both null; keep at least one")
        return self


class Sanity(_Closed):
    """How far, in nats above ln(number of classes), a loss may stand."""

    initial_excess: Positive
    first_epoch_excess: Positive


class Tracking(_Closed):
    """Where MLflow keeps the runs."""

    uri: str
    experiment: str


Objective = Literal["val_accuracy", "val_loss", "parameters", "milliseconds_per_image"]
HIGHER_IS_BETTER: Mapping[str, bool] = {
    "val_accuracy": True,
    "val_loss": False,
    "parameters": False,
    "milliseconds_per_image": False,
}
"""Every objective that a recipe may name, and which way is good."""


def _devices(value: object) -> object:
    listed = isinstance(value, list) and value and all(type(one) in (int, str) for one in value)
    if not listed and value not in ("auto", "cpu"):
        raise ValueError(f"must be auto, cpu or a list of CUDA devices, got {value!r}")
    return value


class Executor(_Closed):
    """Where trials run: ``auto`` (every visible GPU, else the CPU), ``cpu``, or CUDA devices."""

    devices: Annotated[str | list[int | str], PlainValidator(_devices)]
    trials_per_device: Annotated[int, Field(ge=1)] | None


class Recipe(_Closed):
    """Everything one trial needs to know."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*$")]
    backbone: Backbone
    dataset: Dataset
    augment: Augment
    head: Head
    freeze: Freeze
    optimizer: Optimizer
    schedule: Schedule
    image_size: Annotated[int, Field(ge=32)]
    batch_size: Annotated[int, Field(ge=1)]
    drop_connect_rate: Annotated[float, Field(ge=0, lt=1)] | None
    phases: Phases
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"]
    sanity: Sanity
    objectives: Annotated[list[Objective], Field(min_length=1)]
    executor: Executor
    tracking: Tracking

    @field_validator("freeze")
    @classmethod
    def _has_blocks_to_unfreeze(cls, freeze: Freeze, info: ValidationInfo) -> Freeze:
        backbone, count = info.data.get("backbone"), freeze.unfreeze_blocks
        if backbone and count != "all" and count > backbone.blocks:
            raise ValueError(
                f"asks for unfreeze_blocks={count}, but {backbone.name} has {backbone.blocks} "
                "blocks; all unfreezes all of them"
            )
        return freeze

    @field_validator("drop_connect_rate")
    @classmethod
    def _has_depth_to_drop(cls, rate: float | None, info: ValidationInfo) -> float | None:
        backbone = info.data.get("backbone")
        if rate and backbone and not backbone.stochastic_depth:
            raise ValueError(
                f"must be null or 0 with {backbone.name}, which has no stochastic depth, got {rate}"
            )
        return rate
