"""The recipe: a typed, closed, frozen configuration, checked before TensorFlow is imported.

:func:`sweeper.validation.parse` makes a :class:`Recipe` from what Hydra composed. What each key
means stands beside it in ``conf/``.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    JsonValue,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    field_validator,
)

from sweeper.addresses import redact
from sweeper.config.affects import TRAINING, Affects, check_declarations, only
from sweeper.config.confirm import Confirm
from sweeper.config.data import Augment, Dataset, Validation
from sweeper.config.fields import Closed, Count, NotNegative, Seed
from sweeper.config.network import Backbone, Freeze, Head
from sweeper.config.schedule import Schedule
from sweeper.config.training import EarlyStopping, Loss, Optimizer, Phases, Sanity

IMAGES, FEATURES, BACKBONE = Affects.IMAGES, Affects.FEATURES, Affects.BACKBONE
RECORD, PLACE = Affects.RECORD, Affects.PLACE

Objective = Literal[
    "val_accuracy",
    "val_loss",
    "parameters",
    "trainable_parameters",
    "flops",
    "milliseconds_per_image",
    "peak_memory_mb",
]
HIGHER_IS_BETTER: Mapping[str, bool] = {
    "val_accuracy": True,
    "val_loss": False,
    "parameters": False,
    "trainable_parameters": False,
    "flops": False,
    "milliseconds_per_image": False,
    "peak_memory_mb": False,
}
"""Every objective that a recipe may name, and which way is good."""

OF_EPOCHS = ("val_accuracy", "val_loss")
"""Objectives that every epoch has; the others are measured at the end."""


def reported(objectives: Sequence[str]) -> str:
    """What each epoch is judged by: the first of ``objectives`` where every epoch has it.

    A first objective that is known at the end only leaves nothing better than val_accuracy.
    """
    return objectives[0] if objectives[0] in OF_EPOCHS else "val_accuracy"


def _devices(value: object) -> object:
    listed = isinstance(value, list) and value and all(type(one) in (int, str) for one in value)
    if not listed and value not in ("auto", "cpu"):
        raise ValueError(f"must be auto, cpu or a list of CUDA devices, got {value!r}")
    return value


class Executor(Closed):
    """Where trials run.

    Attributes:
        devices: ``auto`` (every visible GPU, else the CPU), ``cpu``, or a list of CUDA devices.
        trials_per_device: at a time; null for one, or as many as hydra.sweeper.n_jobs asks for.
        threads: of TensorFlow's operations in each trial on the CPU, on which curves depend; null
            for one a core, or as many as the study began with.
    """

    devices: Annotated[str | list[int | str], PlainValidator(_devices)]
    trials_per_device: Count | None
    threads: Count | None


class Cache(Closed):
    """What trials share.

    Attributes:
        views: fixed ways in which each image is augmented, used in turn, one an epoch; 0 augments
            anew in every epoch.
        budget_gb: of everything kept on this machine; what was used longest ago is evicted first.
    """

    views: Annotated[int, Field(ge=0), IMAGES | TRAINING]
    budget_gb: Annotated[NotNegative, PLACE]


class Tracking(Closed):
    """Where MLflow keeps the runs.

    Attributes:
        uri: address of the store.
        experiment: that the runs belong to.
        system_metrics_seconds: between two samples of how busy processors, memory and GPUs are
            while a trial runs; null takes none.
    """

    uri: Annotated[str, Field(min_length=1), PlainSerializer(redact)]
    experiment: Annotated[str, Field(min_length=1, max_length=500)]
    # recipes that earlier versions kept have no such key
    system_metrics_seconds: Annotated[float, Field(ge=0.1)] | None = None


class Recipe(Closed):
    """Everything one trial needs to know."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*$"), RECORD]
    backbone: Annotated[Backbone, FEATURES | BACKBONE | TRAINING]
    dataset: Annotated[Dataset, IMAGES | TRAINING]
    validation: Annotated[Validation, IMAGES | TRAINING]
    augment: Annotated[Augment, IMAGES | TRAINING]
    head: Annotated[Head, IMAGES | BACKBONE | TRAINING]
    freeze: Annotated[Freeze, Affects.UNFROZEN]
    optimizer: Annotated[Optimizer, TRAINING]
    schedule: Annotated[Schedule, TRAINING]
    loss: Annotated[Loss, TRAINING]
    image_size: Annotated[int, Field(ge=32), IMAGES | FEATURES | BACKBONE | TRAINING]
    batch_size: Annotated[Count, TRAINING]
    drop_connect_rate: Annotated[
        Annotated[float, Field(ge=0, lt=1)] | None, BACKBONE | Affects.UNFROZEN
    ]
    phases: Phases
    early_stopping: Annotated[EarlyStopping, TRAINING]
    checkpoint_epochs: Annotated[Count | None, RECORD]
    keep_weights: Annotated[Count, PLACE]
    # recipes that earlier versions kept have no such key
    examine_data: Annotated[bool, PLACE] = False
    seed: Annotated[Seed, IMAGES | FEATURES | BACKBONE | TRAINING]
    precision: Annotated[
        Literal["float32", "mixed_bfloat16", "mixed_float16"], FEATURES | BACKBONE | TRAINING
    ]
    jit_compile: Annotated[Literal["auto"] | bool, TRAINING]
    deterministic: Annotated[bool, TRAINING]
    sanity: Annotated[Sanity, TRAINING]
    cache: Cache
    objectives: Annotated[list[Objective], Field(min_length=1), Affects.RANKING]
    # recipes that earlier versions kept have no such key
    confirm: Annotated[Confirm | None, Affects.AFTERWARDS] = None
    executor: Annotated[Executor, PLACE]
    tracking: Annotated[Tracking, PLACE]

    def only(self, wanted: Affects) -> dict[str, JsonValue]:
        """The keys that affect any of ``wanted``; see :func:`sweeper.config.affects.only`."""
        return only(self, wanted)

    @field_validator("freeze")
    @classmethod
    def _has_blocks_to_unfreeze(cls, freeze: Freeze, info: ValidationInfo) -> Freeze:
        backbone, count = info.data.get("backbone"), freeze.unfreeze_blocks
        if not backbone or not backbone.blocks or not isinstance(count, int):
            return freeze
        if count > backbone.blocks:
            raise ValueError(
                f"asks for unfreeze_blocks={count}, but {backbone.name} has {backbone.blocks} "
                "blocks; all unfreezes all of them"
            )
        return freeze

    @field_validator("phases")
    @classmethod
    def _get_warm(cls, phases: Phases, info: ValidationInfo) -> Phases:
        for name, phase in (("frozen", phases.frozen), ("unfrozen", phases.unfrozen)):
            schedule = (phase and phase.schedule) or info.data.get("schedule")
            if phase and schedule and schedule.warmup_epochs > phase.epochs:
                raise ValueError(
                    f"has {name}.epochs={phase.epochs}, fewer than the {schedule.warmup_epochs} "
                    "warmup_epochs of its schedule; set fewer, or give the phase its own schedule"
                )
        return phases

    @field_validator("drop_connect_rate")
    @classmethod
    def _has_depth_to_drop(cls, rate: float | None, info: ValidationInfo) -> float | None:
        backbone = info.data.get("backbone")
        if rate and backbone and not backbone.stochastic_depth:
            raise ValueError(
                f"must be null or 0 with {backbone.name}, which has no stochastic depth, got {rate}"
            )
        return rate


check_declarations(Recipe)

_OF_SCRATCH = ("freeze", "phases", "backbone", "optimizer")


def from_scratch(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """What ``freeze.scratch`` makes of the plain ``recipe``; the same one where it is false.

    A recipe for transfer becomes one from scratch that costs as many epochs, so that a sweep over
    ``freeze`` compares the two: no weights, one phase of all epochs at ``optimizer.learning_rate``,
    everything trained, and an average of the weights (EMA) unless the optimizer says otherwise.
    Values of the wrong kind are left for the schema to refuse.
    """
    plain: dict[str, Any] = dict(recipe)
    if not all(isinstance(plain.get(key), Mapping) for key in _OF_SCRATCH):
        return plain
    freeze, phases, backbone, optimizer = (plain[key] for key in _OF_SCRATCH)
    if freeze.get("scratch") is not True:
        return plain
    given = [phase for phase in (phases.get("frozen"), phases.get("unfrozen")) if phase]
    epochs = [phase.get("epochs") if isinstance(phase, Mapping) else None for phase in given]
    if given and all(type(count) is int and count > 0 for count in epochs):
        rate = optimizer.get("learning_rate")
        one = {**given[-1], "epochs": sum(epochs), "learning_rate": rate}
        plain["phases"] = {**phases, "frozen": None, "unfrozen": one}
    plain["backbone"] = {**backbone, "weights": None}
    plain["optimizer"] = {"use_ema": True, **optimizer}
    return plain
