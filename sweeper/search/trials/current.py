"""The trial that this process runs, as the task function sees it.

``report`` and ``current_trial`` are what the task function sees of the study; outside a sweep
``report`` does nothing and ``current_trial`` is None::

    from sweeper.search import current_trial, report

    for epoch in range(epochs):
        ...
        report(accuracy, epoch)            # raises TrialPruned when the study says stop
    trial = current_trial()
    if trial is not None:
        trial.set_user_attr("parameters", model.count_params())
        trial.set_constraint("milliseconds", milliseconds - 20)   # kept when <= 0
"""

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sweeper.errors import TrialPruned
from sweeper.execute.executor import Channel
from sweeper.records import Advance, Attribute, Constraint, EpochReport, TrialSpec, Value


@dataclass(frozen=True)
class CurrentTrial:
    """The trial that this process runs."""

    spec: TrialSpec
    channel: Channel

    @property
    def number(self) -> int:
        """Its number in the study, which is also ``hydra.job.num``."""
        return self.spec.number

    @property
    def params(self) -> Mapping[str, Value]:
        """What the search chose, by override key."""
        return self.spec.params

    def report(
        self,
        value: float,
        step: int,
        phase: str = "",
        metrics: Mapping[str, float] | None = None,
        *,
        compared: bool = True,
        steps: int | None = None,
    ) -> None:
        """Tell the study the objective's value after ``step``, a whole number from 0.

        With ``compared=False`` it is shown only, and no trial is pruned by it. ``steps`` is how
        many there are, which is shown as ``epoch 3 of 6``.

        Raises:
            TrialPruned: when the study says that the trial shall stop.
            ValueError: ``step`` is negative or no whole number.
        """
        if int(step) != step or step < 0:
            raise ValueError(f"report(value, step): step must be a whole number >= 0, got {step!r}")
        report = EpochReport(int(step), float(value), phase, dict(metrics or {}), compared, steps)
        decision = self.channel.report(report)
        if decision.stop:
            raise TrialPruned(decision.reason)

    def advance(self, work: str, done: int, total: int) -> None:
        """Show how far ``work`` within the trial is, in images; nothing is kept of it."""
        self.channel.note(Advance(work, done, total))

    def set_user_attr(self, key: str, value: Value) -> None:
        """Keep ``value`` (text, number, bool or None) with the trial in the study."""
        if not isinstance(value, bool | int | float | str | None):
            raise TypeError(f"a user attribute is text, a number, bool or None, got {value!r}")
        self.channel.note(Attribute(key, value))

    def set_constraint(self, key: str, value: float) -> None:
        """Say by how much the trial breaks a limit; 0 or less where it keeps it."""
        number = float(value)
        if math.isnan(number):
            raise ValueError(f"constraint {key!r} is nan")
        self.channel.note(Constraint(key, number))


class _Process:
    """What this process runs: one trial at most, whichever of its threads asks."""

    trial: CurrentTrial | None = None


def current_trial() -> CurrentTrial | None:
    """The trial that this process runs, or None outside a sweep."""
    return _Process.trial


def report(
    value: float,
    step: int,
    phase: str = "",
    metrics: Mapping[str, float] | None = None,
    *,
    steps: int | None = None,
) -> None:
    """See :meth:`CurrentTrial.report`; outside a sweep, do nothing."""
    trial = _Process.trial
    if trial is not None:
        trial.report(value, step, phase, metrics, steps=steps)


@contextlib.contextmanager
def running(spec: TrialSpec, channel: Channel) -> Iterator[None]:
    """Within the block this process runs the trial ``spec``."""
    _Process.trial = CurrentTrial(spec, channel)
    try:
        yield
    finally:
        _Process.trial = None
