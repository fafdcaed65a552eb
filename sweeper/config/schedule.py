"""How the learning rate moves within a phase."""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Strict, field_validator, model_validator

from sweeper.config.fields import Closed, Count, NotNegative

Warmup = Annotated[int, Field(ge=0)]
Monitor = Literal["val_accuracy", "val_loss"]


class Constant(Closed):
    """The learning rate of a phase stays, after a warm-up.

    Attributes:
        name: how the rate moves within each phase, chosen with schedule=<option>.
        warmup_epochs: of each phase, along a straight line from 0 up to its rate.
    """

    name: Literal["constant"]
    warmup_epochs: Warmup


class Cosine(Closed):
    """Warm-up, then half a cosine down.

    Attributes:
        name: how the rate moves within each phase, chosen with schedule=<option>.
        warmup_epochs: of each phase, along a straight line from 0 up to its rate.
        final_fraction: of the phase's rate, at its end.
    """

    name: Literal["cosine"]
    warmup_epochs: Warmup
    final_fraction: Annotated[float, Field(ge=0, le=1)]


Step = Annotated[tuple[Count, Annotated[float, Field(gt=0, le=1)]], Strict(False)]


class Table(Closed):
    """Steps down, after a warm-up.

    Attributes:
        name: how the rate moves within each phase, chosen with schedule=<option>.
        warmup_epochs: of each phase, along a straight line from 0 up to its rate.
        steps: pairs: after this many epochs of the phase, this fraction of its rate.
    """

    name: Literal["table"]
    warmup_epochs: Warmup
    steps: Annotated[list[Step], Field(min_length=1)]

    @field_validator("steps")
    @classmethod
    def _ascending(cls, steps: list[tuple[int, float]]) -> list[tuple[int, float]]:
        if any(after <= before for (before, _), (after, _) in pairwise(steps)):
            raise ValueError(f"must be in ascending order of epochs, got {steps}")
        return steps

    @model_validator(mode="after")
    def _warm_first(self) -> Self:
        if self.steps[0][0] < self.warmup_epochs:
            raise ValueError(
                f"warms up for {self.warmup_epochs} epochs, but its first step comes after "
                f"{self.steps[0][0]}; set warmup_epochs or the step so that the warm-up ends first"
            )
        return self


class Plateau(Closed):
    """Down whenever validation was no better for some epochs.

    Attributes:
        name: how the rate moves within each phase, chosen with schedule=<option>.
        warmup_epochs: of each phase, along a straight line from 0 up to its rate.
        monitor: what has to become better.
        factor: the rate is multiplied by it,
        patience: after so many epochs in a row that were not better
        min_delta: by more than this.
        min_learning_rate: where it ends.
    """

    name: Literal["plateau"]
    warmup_epochs: Warmup
    monitor: Monitor
    factor: Annotated[float, Field(gt=0, lt=1)]
    patience: Count
    min_delta: NotNegative
    min_learning_rate: NotNegative


Schedule = Annotated[Constant | Cosine | Table | Plateau, Discriminator("name")]
