"""What an application may add around a study.

The sweeper plugin runs any Hydra application. One that wants more than its task function run
(checks before the first trial, a run in a tracking server) says so on that function::

    @with_hooks(MyHooks)
    def train(config: DictConfig) -> float: ...
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from omegaconf import DictConfig, OmegaConf

from sweeper.execute.executor import Executor, Placement
from sweeper.records import StudySummary, TrialRow, TrialSpec
from sweeper.search.rerun_hooks import Reruns
from sweeper.study_files.study_paths import StudyPaths

Task = TypeVar("Task", bound=Callable[..., object])


@dataclass(frozen=True)
class Entry:
    """One thing that a plan says.

    Attributes:
        label: a word or two.
        text: a paragraph a line.
        command: to be copied into a shell, so never broken into lines; may be empty.
    """

    label: str
    text: str
    command: str = ""


def _print(text: str) -> None:
    from sweeper.display.console import open_console

    open_console().print(text, soft_wrap=True)


class StudyHooks:
    """Called in the controller, one at a time; most methods do nothing here."""

    preload: ClassVar[tuple[str, ...]] = ()
    """Modules that the fork server imports before the first trial starts."""

    say: Callable[[str], None] = staticmethod(_print)
    """Shows a person a sentence, from any thread; while trials run, above their display."""

    def default_space(self, config: DictConfig) -> Mapping[str, Any]:
        """What to search where nothing is named, in the form of ``hydra.sweeper.params``.

        ``config`` is the composed configuration that every trial would have. Nothing here: then
        all trials are alike.
        """
        return {}

    def check(self, candidates: Sequence[DictConfig]) -> None:
        """Refuse what can be seen to be wrong in a moment; nothing may be written or started.

        ``candidates`` are those of :meth:`preflight`, which is called next.

        Raises:
            SweeperError: to stop; where it is ConfigError or MissingInput, with other faults.
        """

    def preflight(self, candidates: Sequence[DictConfig], executor: Executor) -> None:
        """Refuse what cannot run, before a study or trial exists.

        ``candidates`` are composed configurations that between them hold every choice and both
        ends of every range of the search space.

        Raises:
            SweeperError: to stop; its text is shown to the person.
        """

    def plan(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Add to the plan that a person sees before the first trial.

        Called after :meth:`preflight`. ``entries`` are of the search itself: study, device, search,
        judged by, trials, results.
        """
        return entries

    def prebuild(self, executor: Executor) -> None:
        """Compute what all trials share; not called where no trial is left to run.

        Raises:
            SweeperError: to stop; its text is shown to the person.
        """

    def fingerprint(self, config: DictConfig) -> Mapping[str, Any]:
        """What of the application's configuration makes trials comparable; all of it here."""
        # unresolved: what it refers to may be known in the trial only
        plain = OmegaConf.to_container(config, resolve=False)
        assert isinstance(plain, dict)
        return {str(key): value for key, value in plain.items()}

    def objectives(self, config: DictConfig) -> tuple[str, ...]:
        """Names of what trials return, in their order; none where they have no names."""
        return ()

    def reported(self, config: DictConfig) -> str:
        """Name of what trials report while they run."""
        return "value"

    def study_started(
        self,
        config: DictConfig,
        study_id: str,
        summary: StudySummary,
        running: frozenset[int],
        space: Mapping[str, str],
    ) -> None:
        """Open a run for the study or continue it; close what a dead controller left open.

        Args:
            config: the composed configuration at one corner of the search space.
            study_id: the same for each sweep of this study, and for no other study.
            summary: the study so far; its rows have ended, whatever their runs say.
            running: numbers of the trials that other controllers run now.
            space: what is searched, by the names that recipes have for it, in words.
        """

    def trial_started(self, spec: TrialSpec, config: DictConfig) -> Mapping[str, str]:
        """Return what the trial process shall find in ``current_trial().spec.context``."""
        return {}

    def trial_finished(self, row: TrialRow, summary: StudySummary) -> None:
        """Called when the trial of ``row``, one of ``summary``, has ended here."""

    def trial_interrupted(self, number: int, reason: str) -> None:
        """Called when trial ``number``, here or elsewhere, will not end; it is tried again."""

    def figure_error(self, summary: StudySummary) -> float | None:
        """The standard error of the best figure; None where nobody knows it, as here.

        Called in any thread, also while trials run.
        """
        return None

    def reruns(self, summary: StudySummary, executor: Executor) -> Reruns | None:
        """What to run again once the last trial has ended; nothing here.

        Raises:
            SweeperError: to stop; its text is shown to the person.
        """
        return None

    def study_finished(self, summary: StudySummary, executor: Executor, place: Placement) -> None:
        """Do what remains once the last trial has ended; ``place`` is free for work.

        Here: say what came out.
        """
        from sweeper.display.console import open_console

        console = open_console()
        if len(summary.front) == 1:
            best = ", ".join(f"{value:.6g}" for value in summary.front[0].values)
            console.print(f"best trial {summary.front[0].number}: {best}")
        elif summary.front:
            console.print(f"{len(summary.front)} trials on the Pareto front")
        results = StudyPaths(summary.folder).results
        console.print(f"results: {results}", soft_wrap=True)

    def study_interrupted(self, reason: str) -> None:
        """Close what is open: the study stops here and may be continued later."""

    def hurry(self) -> None:
        """Wait for nothing any more: the person has interrupted twice. Called in any thread."""


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
