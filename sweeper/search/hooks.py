"""What an application may add around a study.

The sweeper plugin runs any Hydra application. One that wants more than its task function run
(checks before the first trial, a run in a tracking server) says so on that function::

    @with_hooks(MyHooks)
    def train(config: DictConfig) -> float: ...
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from omegaconf import DictConfig, OmegaConf

from sweeper.execute.base import Executor
from sweeper.records import StudySummary, TrialSpec

Task = TypeVar("Task", bound=Callable[..., object])


class StudyHooks:
    """Called in the controller, in this order; every method does nothing here."""

    preload: ClassVar[tuple[str, ...]] = ()
    """Modules that the fork server imports before the first trial starts."""

    def preflight(self, candidates: Sequence[DictConfig], executor: Executor) -> None:
        """Refuse what cannot run, before a study or trial exists.

        ``candidates`` are composed configurations that between them hold every choice and both
        ends of every range of the search space.

        Raises:
            SweeperError: to stop; its text is shown to the person.
        """

    def fingerprint(self, config: DictConfig) -> Mapping[str, Any]:
        """What of the application's configuration makes trials comparable; all of it here."""
        # unresolved: what it refers to may be known in the trial only
        plain = OmegaConf.to_container(config, resolve=False)
        assert isinstance(plain, dict)
        return {str(key): value for key, value in plain.items()}

    def study_started(self, config: DictConfig, run_id: str | None) -> str | None:
        """Open a run for the study; ``run_id`` is what an earlier call for this study returned."""
        return run_id

    def trial_started(self, spec: TrialSpec, config: DictConfig) -> Mapping[str, str]:
        """Return what the trial process shall find in ``current_trial().context``."""
        return {}

    def trial_finished(self, summary: StudySummary) -> None:
        """Hear that a trial ended; it has the highest number in ``summary``."""

    def study_finished(self, summary: StudySummary, executor: Executor) -> None:
        """Do what remains once the last trial has ended."""

    def study_interrupted(self, reason: str) -> None:
        """Close what is open: the study stops here and may be continued later."""


def with_hooks(hooks: type[StudyHooks]) -> Callable[[Task], Task]:
    """Decorate a task function: a study of it calls ``hooks``."""

    def mark(task: Task) -> Task:
        task.sweeper_hooks = hooks  # type: ignore[attr-defined]
        return task

    return mark


def hooks_of(task: Callable[..., object]) -> type[StudyHooks]:
    """The hooks of a task function, or those that do nothing."""
    hooks: type[StudyHooks] = getattr(task, "sweeper_hooks", StudyHooks)
    return hooks
