"""How a network is trained: optimizer, learning rate, phases, loss, when to stop."""

import math
from typing import Annotated, Any, Literal, Self

from pydantic import (
    ConfigDict,
    Field,
    PlainValidator,
    field_validator,
    model_validator,
)

from sweeper import keras_api
from sweeper.config.affects import NOTHING, Affects
from sweeper.config.fields import Closed, Count, Fraction, NotNegative, Positive, nearest, one_of
from sweeper.config.schedule import Monitor, Schedule


class Optimizer(Closed):
    """A class of ``keras.optimizers`` and its keywords, by their Keras names.

    The keywords that all of them share are checked here, the others by Keras; see
    :func:`sweeper.train.optimizers.by_name.check_optimizer`.

    Attributes:
        name: a class of ``keras.optimizers``; its own keywords are added beside it.
        learning_rate: the default of each phase's, which is the one that counts.
        layer_decay: each block's rate is this times that of the block above it (the head's is the
            phase's); 1 for one rate.
        weight_decay: times the learning rate, off each weight at each update.
        clipnorm: the largest norm of each gradient.
        clipvalue: the largest value in a gradient.
        global_clipnorm: the largest norm of all gradients together.
        use_ema: an average of the weights is validated and kept.
        ema_momentum: how much of the average stays at each step.
        ema_overwrite_frequency: after so many steps the weights become their average.
        loss_scale_factor: times the loss, for half precision.
        gradient_accumulation_steps: batches whose gradients make one update.
    """

    model_config = ConfigDict(extra="allow")

    name: str
    # the default of each phase's, which is the one that counts
    learning_rate: Annotated[Positive, NOTHING]
    layer_decay: Annotated[float, Field(gt=0, le=1), Affects.UNFROZEN]
    weight_decay: NotNegative | None = None
    clipnorm: Positive | None = None
    clipvalue: Positive | None = None
    global_clipnorm: Positive | None = None
    use_ema: bool = False
    ema_momentum: Annotated[float, Field(ge=0, le=1)] = 0.99
    ema_overwrite_frequency: Count | None = None
    loss_scale_factor: Positive | None = None
    gradient_accumulation_steps: Annotated[int, Field(ge=2)] | None = None

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

    @model_validator(mode="after")
    def _clips_one_way(self) -> Self:
        ways = ("clipnorm", "clipvalue", "global_clipnorm")
        given = [f"{way}={getattr(self, way)}" for way in ways if getattr(self, way) is not None]
        if len(given) > 1:
            raise ValueError(f"may set one of {', '.join(ways)}, got {', '.join(given)}")
        return self

    @property
    def keywords(self) -> dict[str, Any]:
        """Constructor arguments beside the learning rate, those that the recipe sets."""
        own = {"name", "learning_rate", "layer_decay"}
        shared = [key for key in type(self).model_fields if key in self.model_fields_set - own]
        return {key: getattr(self, key) for key in shared} | (self.model_extra or {})


class Phase(Closed):
    """Some epochs with one set of trainable layers; null skips the phase.

    Attributes:
        epochs: how many there are; early stopping may end them before.
        learning_rate: of the phase, where its schedule begins.
        optimizer: of the phase alone (+optimizer@phases.frozen.optimizer=sgd); null for the
            recipe's.
        schedule: of the phase alone; null for the recipe's.
    """

    epochs: Count
    learning_rate: Positive
    optimizer: Optimizer | None
    schedule: Schedule | None


class Phases(Closed):
    """The frozen phase, then the unfrozen one; ``null`` skips a phase."""

    frozen: Annotated[Phase | None, Affects.FROZEN]
    unfrozen: Annotated[Phase | None, Affects.UNFROZEN]

    @model_validator(mode="after")
    def _one_at_least(self) -> Self:
        if self.frozen is None and self.unfrozen is None:
            raise ValueError("are both null; keep at least one")
        return self


class Unquoted(str):
    """A class name that stood in YAML without quotes, and was read as this number.

    01 is then 1, 010 is 8, and 1.10 is 1.1: which class is meant depends on the data's names.
    """

    __slots__ = ()


def _class_name(key: object) -> str:
    return key if isinstance(key, str) else Unquoted(key)


def _class_weight(value: object) -> object:
    if value is None or value == "balanced":
        return value
    if isinstance(value, dict) and any(isinstance(name, bool) for name in value):
        raise ValueError(
            "has a truth value where the name of a class should be: YAML reads yes, on and true as "
            "true, and no, off and false as false; put such a name in quotes: {'yes': 2.0}"
        )
    if isinstance(value, dict) and value:
        numbers = [v for v in value.values() if isinstance(v, int | float) and 0 < v < math.inf]
        if len(numbers) == len(value) and not any(isinstance(v, bool) for v in value.values()):
            return {_class_name(name): float(weight) for name, weight in value.items()}
    raise ValueError(f"must be balanced, null, or a weight > 0 for each class name, got {value!r}")


class Loss(Closed):
    """Cross-entropy, of training only.

    Attributes:
        label_smoothing: share of the target that is spread over all classes.
        class_weight: ``balanced`` (n / (classes * n of the class), as scikit-learn has it), or a
            weight for each class name, the others 1.
    """

    label_smoothing: Fraction
    class_weight: Annotated[
        Literal["balanced"] | dict[str, float] | None, PlainValidator(_class_weight)
    ]


class EarlyStopping(Closed):
    """Within each phase, by the validation data.

    Attributes:
        monitor: what has to become better.
        patience: epochs without a better one that end the phase; null for never.
        min_delta: better is by more than this.
        restore_best: the next phase, and the model that is kept, begin from the best epoch.
    """

    monitor: Monitor
    patience: Count | None
    min_delta: NotNegative
    restore_best: bool


class Sanity(Closed):
    """How far, in nats above ln(number of classes), a loss may stand.

    Attributes:
        initial_excess: before training, as the first training steps see it.
        first_epoch_excess: averaged over the first epoch of a phase.
    """

    initial_excess: Positive
    first_epoch_excess: Positive
