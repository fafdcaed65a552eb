"""The records that cross a border between rooms or processes: small, frozen, picklable."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

Value = bool | int | float | str | None
"""What a searched parameter may hold; its type survives from the search space to MLflow."""


COMPUTED = "compute.seconds"
FEATURES = "compute.features_seconds"
SAVED_BY_CACHE = "compute.saved_by_cache_seconds"
SAVED_BY_PRUNING = "compute.saved_by_pruning_seconds"
PREBUILT = "compute.before_trials_seconds"
"""Metrics of what a trial or a study cost; see :func:`sweeper.train.savings.ledger`."""


class State(StrEnum):
    """How a trial ended; the words of the ``sweeper.state`` tag."""

    COMPLETE = "complete"
    PRUNED = "pruned"
    FAILED = "failed"


class Cause(StrEnum):
    """Why a trial failed; the keys of ``hydra.sweeper.retries``."""

    RAISED = "raised"
    KILLED = "killed"
    TIMEOUT = "timeout"
    OOM = "oom"
    NONSENSE = "nonsense"
    LOST = "lost"


@dataclass(frozen=True)
class TrialSpec:
    """One trial as asked of the study, before it runs.

    ``overrides`` is the whole Hydra command line of the trial; ``context`` is what the
    application wants its trial process to know (for example a run id). ``again`` are the folders
    of the trials that this one is tried again for, the last one first: what they left may be used.
    ``distributions`` has what each searched parameter was drawn from, as Optuna's JSON.
    """

    number: int
    params: Mapping[str, Value]
    overrides: tuple[str, ...]
    folder: Path
    context: Mapping[str, str] = field(default_factory=dict)
    again: tuple[Path, ...] = ()
    distributions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DataUse:
    """Images that a run uses for one ``purpose``: training, validation or test.

    ``digest`` is another one whenever an image, a label or their order may be another. ``place`` is
    where they lie, or in words where they come from.
    """

    name: str
    digest: str
    purpose: str
    place: Path | str
    images: int
    classes: int


@dataclass(frozen=True)
class Owner:
    """Whose files lie in a trial's folder: one attempt, and the study it belongs to.

    ``run`` is the trial's number in its study, or a random id of a single fine-tune; ``study`` the
    id of the study, empty for a single fine-tune.
    """

    run: str = ""
    study: str = ""


UNOWNED = Owner()
"""For work that no tracker records."""


@dataclass(frozen=True)
class EpochReport:
    """What a trial says after each epoch; ``step`` counts on across phases, from 0.

    ``compared`` is False where no other trial can be compared at this step: nothing is pruned then.
    ``steps`` is how many there are at most, None where the trial does not say.
    """

    step: int
    value: float
    phase: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    compared: bool = True
    steps: int | None = None


@dataclass(frozen=True)
class Attribute:
    """Something a trial wants remembered beside its value: a user attribute of the Optuna trial."""

    key: str
    value: Value


@dataclass(frozen=True)
class Constraint:
    """A limit that a trial says it keeps (``value`` <= 0) or breaks (> 0, by how much)."""

    key: str
    value: float


@dataclass(frozen=True)
class Advance:
    """How far work is, in a trial or before it: ``done`` of ``total`` images of ``work``."""

    work: str
    done: int
    total: int


Note = Attribute | Constraint | Advance
"""What work says without waiting for an answer."""


@dataclass(frozen=True)
class Prepared:
    """What the process that looked for data and weights found, in words for a person.

    ``data`` and ``networks`` have one text for each data set and network of the search,
    ``device`` says what TensorFlow computes on, ``noticed`` is what a person should know.
    ``splits`` is another text whenever other images, labels or splits are used.
    """

    data: tuple[str, ...]
    networks: tuple[str, ...]
    device: str
    noticed: tuple[str, ...]
    splits: str


@dataclass(frozen=True)
class Decision:
    """The answer to an :class:`EpochReport`. A stop carries its reason."""

    stop: bool = False
    reason: str = ""


@dataclass(frozen=True)
class TrialRow:
    """One finished trial as the study remembers it.

    ``values`` holds one number for each objective, none unless the trial is complete.
    ``cause`` is a :class:`Cause` where it failed in its process, else empty.
    ``feasible`` says whether it keeps all of its constraints. ``counts`` is False for one that was
    tried again: another trial stands for it in the study's total.
    """

    number: int
    state: State
    values: tuple[float, ...]
    seconds: float
    params: Mapping[str, Value]
    folder: Path
    reason: str = ""
    feasible: bool = True
    counts: bool = True
    cause: str = ""

    @property
    def value(self) -> float | None:
        """The first objective, None unless the trial is complete."""
        return self.values[0] if self.values else None


@dataclass(frozen=True)
class Rerun:
    """A trial to be run again beside the study: its result is none of a trial.

    ``trial`` is the one that is run again, ``changes`` is what differs, by the keys of the
    configuration. ``folder`` is where its files go, relative to the sweep's.
    """

    trial: TrialRow
    changes: Mapping[str, Value]
    folder: Path


@dataclass(frozen=True)
class StudySummary:
    """A study as it stands, rows by trial number.

    ``maximize`` has one entry for each objective. ``front`` holds the feasible complete trials that
    no other beats in every objective; with one objective that is the best alone. ``best`` is the
    one of them that is best in the first objective, None when no trial is complete and feasible.
    ``objectives`` are their names, none where the application has not named them.
    """

    name: str
    folder: Path
    maximize: tuple[bool, ...]
    rows: tuple[TrialRow, ...]
    best: TrialRow | None
    front: tuple[TrialRow, ...] = ()
    objectives: tuple[str, ...] = ()

    @property
    def value_names(self) -> tuple[str, ...]:
        """A name for each objective: its own, else ``value``, or ``value_0`` and so on."""
        count = len(self.maximize)
        numbered = tuple(f"value_{index}" for index in range(count)) if count > 1 else ("value",)
        return self.objectives or numbered
