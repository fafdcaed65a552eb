"""A phase as a value: its epochs, what it would end with, and all that it continues from."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from numpy.typing import NDArray

from sweeper.config import Phase, Recipe
from sweeper.config import Plateau as PlateauSettings
from sweeper.train.optimizers.early_stopping import Best
from sweeper.train.optimizers.schedules import Plateau

Arrays = Sequence[NDArray[Any]]


@dataclass(frozen=True)
class Epoch:
    """One epoch as it ended.

    Attributes:
        step: number of the epoch, from 0 across both phases.
        phase: name of its phase.
        first: whether it is the first of its phase.
        last: whether its phase ends with it.
        kept: whether the phase, ended now, would end with its weights.
        edge: how much better than a guess it is; see :func:`sweeper.train.evaluation.edge`.
        metrics: what was measured.
    """

    step: int
    phase: str
    first: bool
    last: bool
    kept: bool
    edge: float
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class PhaseState:
    """Where a phase stands after an epoch. Another run of the phase continues from it.

    Attributes:
        epochs: those that have ended.
        watched: of what watches the phase, by name, as plain data.
        model: the phase's variables, as training left them.
        kept: the weights that the phase would end with.
        optimizer: variables of the optimizer.
    """

    epochs: Sequence[Epoch]
    watched: Mapping[str, Any]
    model: Arrays
    kept: Arrays
    optimizer: Arrays

    @property
    def plain(self) -> dict[str, Any]:
        """What is no array, as JSON takes it."""
        return {"epochs": [asdict(epoch) for epoch in self.epochs], "watched": self.watched}


@dataclass
class Progress:
    """What has come out of a phase, and whether it is to continue.

    Args:
        phase: how many epochs it has, and its schedule.
        recipe: when it stops early, and the schedule of a phase without its own.
        followed: metrics of the epochs of an earlier run of the phase, up to the one that was kept.
            This one then decides by those, and ends where they end. Empty where it decides by its
            own.

    Attributes:
        epochs: those that have ended.
        kept: the weights that the phase would end with.
        rate_factor: what the learning rate is multiplied by since validation got no better; None
            with a schedule that does not look at validation.
    """

    phase: Phase
    recipe: Recipe
    followed: Sequence[Mapping[str, float]] = ()
    epochs: list[Epoch] = field(default_factory=list)
    kept: Arrays = ()
    rate_factor: float | None = None

    def __post_init__(self) -> None:
        schedule = self.phase.schedule or self.recipe.schedule
        self._plateau = Plateau(schedule) if isinstance(schedule, PlateauSettings) else None
        self._best = Best(self.recipe.early_stopping)
        self._kept_epoch = 0

    @property
    def done(self) -> bool:
        """Whether the phase has ended: after all its epochs, or early."""
        return self.ends_with(len(self.epochs) - 1)

    @property
    def kept_epoch(self) -> Epoch:
        """The one whose weights are kept."""
        return self.epochs[self._kept_epoch]

    def ends_with(self, number: int) -> bool:
        """Whether the epoch of this number, from 0, which was judged last, is the last one."""
        if self.followed:
            return number + 1 == len(self.followed)
        return self._best.done or number + 1 == self.phase.epochs

    def judge(self, metrics: Mapping[str, float]) -> bool:
        """Called with the metrics of each epoch; returns whether its weights are to be kept."""
        if self.followed:
            metrics = self.followed[len(self.epochs)]
        kept = self._best.after_epoch(metrics) or not self.recipe.early_stopping.restore_best
        if self._plateau is not None:
            self.rate_factor = self._plateau.after_epoch(metrics)
        return kept

    def add(self, epoch: Epoch, judged: Arrays) -> None:
        """Add the epoch that was judged, with the weights that were."""
        if epoch.kept:
            self.kept, self._kept_epoch = judged, len(self.epochs)
        self.epochs.append(epoch)

    def state(self, model: Arrays, optimizer: Arrays) -> PhaseState:
        """All of it as a value, with the variables as they stand now."""
        watched: dict[str, Any] = {"best": self._best.state(), "kept_epoch": self._kept_epoch}
        if self._plateau is not None:
            watched["plateau"] = self._plateau.state()
        return PhaseState(tuple(self.epochs), watched, model, self.kept, optimizer)

    def restore(self, state: PhaseState) -> None:
        """Continue from ``state``."""
        self.epochs, self.kept = list(state.epochs), state.kept
        self._kept_epoch = state.watched["kept_epoch"]
        self._best.restore(state.watched["best"])
        if self._plateau is not None:
            self._plateau.restore(state.watched["plateau"])
            self.rate_factor = state.watched["plateau"]["factor"]
