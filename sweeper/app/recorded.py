"""One trial in this process, with all that is recorded of it: in its folder, and for MLflow."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from sweeper.advance import OnAdvance, no_advance
from sweeper.config import Recipe, warnings
from sweeper.disk.files import write_aside
from sweeper.errors import TrialPruned
from sweeper.execute.failures import described
from sweeper.records import Owner
from sweeper.study_files.result import Status
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.track.journal import Journal
from sweeper.track.local import LocalTracker
from sweeper.track.system_metrics import system_metrics
from sweeper.track.tracker import CompositeTracker
from sweeper.validation import flatten

if TYPE_CHECKING:
    from sweeper.train.building import BackboneSummary
    from sweeper.train.recorder import Report


@dataclass(frozen=True)
class Trained:
    """What a trial gave: a value for each objective, and the tags of its run."""

    values: tuple[float, ...]
    tags: Mapping[str, str]


def train(
    recipe: Recipe,
    paths: TrialPaths,
    report: "Report",
    owner: Owner,
    prune_high: bool,
    known: "BackboneSummary | None" = None,
    on_advance: OnAdvance = no_advance,
) -> Trained:
    """Train ``recipe`` in the folder of ``paths``, and record it there; MLflow is not waited for.

    See :class:`~sweeper.train.trial.Trial` for the arguments, and for what it raises.
    """
    from sweeper.train.trial import Trial

    local, journal = LocalTracker(paths), Journal(paths.mlflow)
    resolved = recipe.model_dump(mode="json", exclude_unset=True)
    write_aside(paths.config, yaml.safe_dump(resolved, sort_keys=False))
    journal.log_params(flatten(resolved))
    journal.set_tags({"sweeper.warnings": "\n".join(warnings(recipe))} if warnings(recipe) else {})
    journal.log_file(paths.config, "config")
    if paths.overrides.exists():  # Hydra writes none with hydra.output_subdir=null
        journal.log_file(paths.overrides, "config")
    tracker = CompositeTracker(local, journal)
    try:
        # MLflow's pages open on the metric that came first, which is to be what the trial is for
        seconds, due = recipe.tracking.system_metrics_seconds, lambda: journal.has_metrics
        with system_metrics(journal.log_metrics, seconds, due):
            trial = Trial(recipe, paths, tracker, report, prune_high, known, owner, on_advance)
            values = trial.run()
    except BaseException as error:
        local.end(*_end(error))
        raise
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        if paths.log.exists():  # inline work writes none
            journal.log_file(paths.log, "logs")
    local.end(Status.COMPLETE, "", dict(zip(recipe.objectives, values, strict=True)))
    return Trained(values, local.tags)


def _end(error: BaseException) -> tuple[Status, str]:
    """How a trial ended that raised ``error``, and why."""
    if isinstance(error, TrialPruned):
        return Status.PRUNED, error.reason
    if isinstance(error, KeyboardInterrupt):
        return Status.INTERRUPTED, "interrupted"
    return Status.FAILED, described(error)
