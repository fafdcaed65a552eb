"""A trial as a true Hydra job, inside its own process.

``report`` and ``current_trial`` are what the task function sees of the study; outside a sweep
they do nothing.
"""

import math
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from sweeper.errors import TrialFailed, TrialPruned
from sweeper.execute.base import Channel
from sweeper.records import EpochReport, TrialSpec

if TYPE_CHECKING:
    from hydra.types import HydraContext

_running: ContextVar[tuple[TrialSpec, Channel] | None] = ContextVar("running trial", default=None)


def current_trial() -> TrialSpec | None:
    """The trial that this process runs, or None outside a sweep."""
    running = _running.get()
    return running[0] if running else None


def report(
    value: float, step: int, phase: str = "", metrics: Mapping[str, float] | None = None
) -> None:
    """Tell the study the objective's value after ``step``; outside a sweep, do nothing.

    Raises:
        TrialPruned: when the study says that the trial shall stop.
    """
    running = _running.get()
    if running is None:
        return
    decision = running[1].report(EpochReport(step, float(value), phase, dict(metrics or {})))
    if decision.stop:
        raise TrialPruned(decision.reason)


@dataclass(frozen=True)
class TrialJob:
    """What travels to the trial's process; calling it there runs the job."""

    spec: TrialSpec
    config: DictConfig
    task: Callable[[DictConfig], Any]
    context: "HydraContext"
    singletons: Mapping[Any, Any]

    def __call__(self, channel: Channel) -> float:
        """Run the task function as Hydra would.

        Raises:
            TrialPruned: the task gave up, or was told to.
            TrialFailed: it raised, or returned something that is no finite number.
        """
        from hydra.core.hydra_config import HydraConfig
        from hydra.core.singleton import Singleton
        from hydra.core.utils import run_job, setup_globals

        setup_globals()
        Singleton.set_state(dict(self.singletons))
        HydraConfig.instance().set_config(self.config)
        token = _running.set((self.spec, channel))
        try:
            ended = run_job(
                hydra_context=self.context,
                task_function=self.task,
                config=self.config,
                job_dir_key="hydra.sweep.dir",
                job_subdir_key="hydra.sweep.subdir",
            )
        finally:
            _running.reset(token)
        return _objective(ended.return_value)


def _objective(value: object) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise TrialFailed(f"the task returned {value!r}, which is no number") from None
    if math.isnan(number):
        raise TrialFailed("the task returned nan")
    return number
