"""What an application says of the trials that it has run again once a search is over."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from omegaconf import DictConfig

from sweeper.records import Rerun, StudySummary, TrialRow, TrialSpec


class Reruns(Protocol):
    """What an application has run again once the search is over; called one at a time."""

    @property
    def queue(self) -> Sequence[Rerun]:
        """What is to be run; what an earlier command has finished is not."""
        ...

    def started(self, rerun: Rerun, spec: TrialSpec, config: DictConfig) -> Mapping[str, str]:
        """Return what its process shall find in ``current_trial().spec.context``."""
        ...

    def finished(self, rerun: Rerun, row: TrialRow) -> None:
        """Called when it has ended; ``row`` says how, and is no row of the study."""
        ...

    def interrupted(self, rerun: Rerun, reason: str) -> None:
        """Called when it will not end; it is run again by the same command."""
        ...

    def judged(self, summary: StudySummary) -> StudySummary:
        """The study with the best trial that the reruns make of it."""
        ...
