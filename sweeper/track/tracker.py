"""What a trial may record, wherever it is recorded."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from sweeper.records import DataUse


class Tracker(Protocol):
    """One run: parameters once, metrics by step, tags, files."""

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Record ``params``; each may be recorded once."""
        ...

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Record all of ``metrics`` at ``step``, in one request."""
        ...

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set or replace ``tags``."""
        ...

    def log_data(self, data: Sequence[DataUse]) -> None:
        """Record the images that the run uses."""
        ...

    def log_file(self, path: Path, folder: str) -> None:
        """Keep a copy of ``path`` in the run's ``folder``."""
        ...

    def flush(self) -> None:
        """See that all of it is kept, whatever happens to this process next."""
        ...


class NullTracker:
    """Records nothing."""

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Do nothing."""

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Do nothing."""

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Do nothing."""

    def log_data(self, data: Sequence[DataUse]) -> None:
        """Do nothing."""

    def log_file(self, path: Path, folder: str) -> None:
        """Do nothing."""

    def flush(self) -> None:
        """Do nothing."""
