"""The first record of a trial, in its own folder: ``metrics.jsonl``, then ``result.json``."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sweeper.records import DataUse
from sweeper.study_files.lines import append
from sweeper.study_files.result import Result, Status, write
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.track.tracker import of_fold


class LocalTracker:
    """A :class:`~sweeper.track.tracker.Tracker` that writes into the trial's folder.

    ``metrics.jsonl`` has one line for each epoch: ``time`` in seconds since 1970, ``step``,
    ``phase``, ``fold`` (null without folds) and ``metrics``, by name.
    """

    def __init__(self, paths: TrialPaths) -> None:
        self._paths = paths
        self._began = time.time()
        self._clock = time.monotonic()
        self._metrics: dict[str, float] = {}
        self.tags: dict[str, str] = {}
        """Those that were set."""

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Do nothing: ``config.yaml`` has them."""

    def log_epoch(
        self, metrics: Mapping[str, float], step: int, phase: str, fold: int | None
    ) -> None:
        """Append a line to ``metrics.jsonl``."""
        plain = {key: float(value) for key, value in metrics.items()}
        line = {"time": time.time(), "step": step, "phase": phase, "fold": fold, "metrics": plain}
        append(self._paths.metrics, line)
        self._metrics |= of_fold(plain, fold)

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Keep ``metrics`` for the result."""
        self._metrics |= {key: float(value) for key, value in metrics.items()}

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Keep ``tags`` for the result."""
        self.tags |= tags

    def log_data(self, data: Sequence[DataUse]) -> None:
        """Do nothing: the recipe names them."""

    def log_file(self, path: Path, folder: str) -> None:
        """Do nothing: it lies in the trial's folder."""

    def end(
        self, state: Status, reason: str = "", objectives: Mapping[str, float] | None = None
    ) -> None:
        """Write ``result.json``."""
        best = self._metrics.get("best_epoch")
        result = Result(
            state=state,
            objectives=objectives or {},
            best_epoch=None if best is None else int(best),
            metrics=self._metrics,
            sanity=self.tags.get("sanity", ""),
            sanity_reason=self.tags.get("sanity.reason", ""),
            started=self._began,
            ended=time.time(),
            seconds=time.monotonic() - self._clock,
            reason=reason,
        )
        write(self._paths.result, result)
