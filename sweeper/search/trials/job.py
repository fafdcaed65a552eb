"""A trial as a true Hydra job, inside its own process.

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

import math
import reprlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle
from omegaconf import DictConfig, open_dict, read_write

from sweeper.errors import TrialFailed, TrialPruned
from sweeper.execute.executor import Channel
from sweeper.records import Advance, Attribute, Cause, Constraint, EpochReport, TrialSpec, Value

if TYPE_CHECKING:
    from hydra.types import HydraContext


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


@dataclass(frozen=True)
class Application:
    """A Hydra application, as a trial's process must know it.

    ``singletons`` is Hydra's global state and the application's resolvers; None where the trial
    runs in the process that has them.
    """

    task: Callable[[DictConfig], Any]
    context: "HydraContext"
    n_objectives: int
    singletons: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class TrialJob:
    """What travels to the trial's process; calling it there runs the job.

    ``application`` may be pickled already: it is the same for all trials, and large.
    """

    spec: TrialSpec
    config: DictConfig
    application: Application | bytes

    def __call__(self, channel: Channel) -> tuple[float, ...]:
        """Run the task function as Hydra would; returns a number for each objective.

        Raises:
            TrialPruned: the task gave up, or was stopped.
            TrialFailed: it returned something else than numbers.
        """
        from hydra.core.utils import run_job

        application = self.application
        if isinstance(application, bytes):
            application = cloudpickle.loads(application)
        assert isinstance(application, Application)
        if application.singletons is not None:
            _set_singletons(application.singletons)
        _Process.trial = CurrentTrial(self.spec, channel)
        self._settle()
        try:
            ended = run_job(
                hydra_context=application.context,
                task_function=application.task,
                config=self.config,
                job_dir_key="hydra.sweep.dir",
                job_subdir_key="hydra.sweep.subdir",
            )
            returned = ended.return_value  # raises what the task raised
        except Exception as error:
            if _is_optunas(error):
                raise TrialPruned(str(error) or "the task raised optuna.TrialPruned") from None
            raise
        finally:
            _Process.trial = None
        return objectives(returned, application.n_objectives)

    def _settle(self) -> None:
        """Let Hydra's job run in the trial's folder where that is another one than was composed."""
        sweep = self.config.hydra.sweep
        above = self.spec.folder.parents[len(Path(sweep.subdir).parts) - 1]
        if Path(sweep.dir).absolute() != above:
            with read_write(self.config), open_dict(self.config):
                sweep.dir = str(above)


def job_maker(
    application: Application, in_processes: bool
) -> Callable[[TrialSpec, DictConfig], TrialJob]:
    """What makes the job of each trial of ``application``, pickled once where it travels."""
    if not in_processes:
        return lambda spec, config: TrialJob(spec, config, application)
    from hydra.core.singleton import Singleton

    state = replace(application, singletons=Singleton.get_state())
    pickled: bytes = cloudpickle.dumps(state)
    return lambda spec, config: TrialJob(spec, config, pickled)


def _is_optunas(error: Exception) -> bool:
    """Whether a task that was written for Optuna gave up; found by name, to leave it unimported."""
    names = {f"{kind.__module__}.{kind.__name__}" for kind in type(error).__mro__}
    return "optuna.exceptions.TrialPruned" in names


def _set_singletons(state: Mapping[str, Any]) -> None:
    from hydra.core.plugins import Plugins
    from hydra.core.singleton import Singleton
    from hydra.core.utils import setup_globals

    setup_globals()
    # the fork server has searched for plugins already; Hydra would search again
    found = {Plugins: Plugins.instance()}
    Singleton.set_state({**state, "instances": {**state["instances"], **found}})


def objectives(returned: object, count: int) -> tuple[float, ...]:
    """What a task returned, as one number for each of ``count`` objectives.

    Raises:
        TrialFailed: it is something else, or nan.
    """
    wanted = "a number" if count == 1 else f"a list of {count} numbers"
    parts: Iterable[object] = (returned,)
    # numpy arrays and tensors of no dimension are iterable by type only
    if count > 1 and isinstance(returned, Iterable) and not isinstance(returned, str):
        parts = returned
    try:
        numbers = tuple(float(part) for part in parts)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) != count or any(map(math.isnan, numbers)):
        got = reprlib.repr(returned)
        raise TrialFailed(f"the task returned {got}, not {wanted}", cause=Cause.NONSENSE)
    return numbers
