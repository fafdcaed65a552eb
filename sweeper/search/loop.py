"""Ask, run, tell: trials of a study, one after the other."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import optuna
from omegaconf import DictConfig, open_dict, read_write

from sweeper.errors import SweeperError, TrialFailed, TrialPruned
from sweeper.execute.base import Executor
from sweeper.paths import TrialPaths
from sweeper.records import Decision, EpochReport, TrialSpec
from sweeper.search.hooks import StudyHooks
from sweeper.search.job import TrialJob
from sweeper.search.progress import Progress
from sweeper.search.space import SearchSpace
from sweeper.search.study import FOLDER, LOG_TAIL, REASON, requeue, rows, summarize

Compose = Callable[[tuple[str, ...]], DictConfig]
"""From a whole list of overrides to a composed Hydra configuration; ConfigError if it fails."""
MakeJob = Callable[[TrialSpec, DictConfig], TrialJob]


class TrialLoop:
    """Runs the trials of one study until it holds ``n_trials`` that are finished."""

    def __init__(
        self,
        study: optuna.Study,
        space: SearchSpace,
        folder: Path,
        compose: Compose,
        make_job: MakeJob,
        executor: Executor,
        hooks: StudyHooks,
        progress: Progress,
    ) -> None:
        self._study = study
        self._space = space
        self._folder = folder
        self._compose = compose
        self._make_job = make_job
        self._executor = executor
        self._hooks = hooks
        self._progress = progress

    def run(self, n_trials: int) -> None:
        """Run what is missing to ``n_trials`` finished trials; a failed one does not end it."""
        missing = n_trials - len(rows(self._study, self._folder))
        if missing > 0:
            self._study.optimize(
                self._objective,
                n_trials=missing,
                catch=(SweeperError,),
                callbacks=[lambda _study, _trial: self._told()],
            )

    def _objective(self, trial: optuna.Trial) -> float:
        try:
            return self._run(trial)
        except TrialPruned as pruned:
            trial.set_user_attr(REASON, pruned.reason)
            raise optuna.TrialPruned(pruned.reason) from None
        except SweeperError as error:
            trial.set_user_attr(REASON, str(error))
            if isinstance(error, TrialFailed):
                trial.set_user_attr(LOG_TAIL, error.log_tail)
            raise
        except BaseException:
            requeue(self._study, trial.number, trial.params)
            raise

    def _run(self, trial: optuna.Trial) -> float:
        params = self._space.suggest(trial)
        overrides = self._space.overrides(params)
        config = number_job(self._compose(overrides), trial.number)
        trial.set_user_attr(FOLDER, config.hydra.sweep.subdir)
        spec = TrialSpec(trial.number, params, overrides, self._folder / config.hydra.sweep.subdir)
        spec = replace(spec, context=self._hooks.trial_started(spec, config))
        self._progress.trial_started(spec)

        def on_report(report: EpochReport) -> Decision:
            self._progress.epoch(spec, report)
            return Decision()

        value: float = self._executor.run(
            self._make_job(spec, config), TrialPaths(spec.folder).log, on_report
        )
        return value

    def _told(self) -> None:
        summary = summarize(self._study, self._folder)
        self._hooks.trial_finished(summary)
        self._progress.trial_finished(summary)


def number_job(config: DictConfig, number: int) -> DictConfig:
    """Give the composed job its number, and fix the folder that follows from it."""
    with read_write(config), open_dict(config):
        config.hydra.job.num = number
        config.hydra.job.id = str(number)
        # resolved here, where the application's resolvers are known; the trial's process may
        # not have them
        config.hydra.sweep.dir = str(config.hydra.sweep.dir)
        config.hydra.sweep.subdir = str(config.hydra.sweep.subdir)
    return config
