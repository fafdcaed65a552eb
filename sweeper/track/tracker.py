"""What a trial may record, wherever it is recorded."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from sweeper.records import DataUse


class Tracker(Protocol):
    """One run: parameters once, epochs, other metrics by step, tags, files.

    What a method was called with is kept when it returns, whatever happens to the process next.
    """

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Record ``params``; each may be recorded once."""
        ...

    def log_epoch(
        self, metrics: Mapping[str, float], step: int, phase: str, fold: int | None
    ) -> None:
        """Record the epoch ``step`` of ``phase``; ``fold`` is None for a trial without folds."""
        ...

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Record all of ``metrics`` at ``step``, which are not an epoch's."""
        ...

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set or replace ``tags``."""
        ...

    def log_data(self, data: Sequence[DataUse]) -> None:
        """Record the images that the run uses."""
        ...

    def log_file(self, path: Path, folder: str) -> None:
        """Keep ``path``, as it is when the run has ended, in the run's ``folder``."""
        ...


def of_fold(metrics: Mapping[str, float], fold: int | None) -> dict[str, float]:
    """``metrics`` under the names that they have as those of a fold: ``fold0/loss``."""
    return {key if fold is None else f"fold{fold}/{key}": one for key, one in metrics.items()}


class NullTracker:
    """Records nothing."""

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Do nothing."""

    def log_epoch(
        self, metrics: Mapping[str, float], step: int, phase: str, fold: int | None
    ) -> None:
        """Do nothing."""

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Do nothing."""

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Do nothing."""

    def log_data(self, data: Sequence[DataUse]) -> None:
        """Do nothing."""

    def log_file(self, path: Path, folder: str) -> None:
        """Do nothing."""


class CompositeTracker:
    """Records with each of ``trackers``, in their order."""

    def __init__(self, *trackers: Tracker) -> None:
        self._trackers = trackers

    def log_params(self, params: Mapping[str, Any]) -> None:
        """See :class:`Tracker`."""
        for one in self._trackers:
            one.log_params(params)

    def log_epoch(
        self, metrics: Mapping[str, float], step: int, phase: str, fold: int | None
    ) -> None:
        """See :class:`Tracker`."""
        for one in self._trackers:
            one.log_epoch(metrics, step, phase, fold)

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """See :class:`Tracker`."""
        for one in self._trackers:
            one.log_metrics(metrics, step)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """See :class:`Tracker`."""
        for one in self._trackers:
            one.set_tags(tags)

    def log_data(self, data: Sequence[DataUse]) -> None:
        """See :class:`Tracker`."""
        for one in self._trackers:
            one.log_data(data)

    def log_file(self, path: Path, folder: str) -> None:
        """See :class:`Tracker`."""
        for one in self._trackers:
            one.log_file(path, folder)
