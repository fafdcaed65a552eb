"""A trial as a true Hydra job, inside its own process."""

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
from sweeper.records import Cause, TrialSpec
from sweeper.search.trials.current import running

if TYPE_CHECKING:
    from hydra.types import HydraContext


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
        self._settle()
        try:
            with running(self.spec, channel):
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
