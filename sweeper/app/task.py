"""The task that Hydra runs: fine-tune one recipe, alone or as a trial of a study."""

from omegaconf import DictConfig

from sweeper.app.alone import fine_tune_alone
from sweeper.app.fine_tune_study import FineTuneStudy
from sweeper.app.recorded import train
from sweeper.records import Owner
from sweeper.search.hooks import with_hooks
from sweeper.search.trials.current import CurrentTrial, current_trial
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.validation import parse


@with_hooks(FineTuneStudy)
def fine_tune(config: DictConfig) -> float | tuple[float, ...]:
    """Fine-tune what ``config`` describes; returns its objective, or several."""
    trial = current_trial()
    values = fine_tune_alone(config) if trial is None else _in_study(config, trial)
    return values if len(values) > 1 else values[0]


def _in_study(config: DictConfig, trial: CurrentTrial) -> tuple[float, ...]:
    from sweeper.train.building import find
    from sweeper.train.fit.checkpoint import take_over
    from sweeper.train.folds import settled

    recipe = settled(parse(config))
    context = trial.spec.context
    paths = TrialPaths(trial.spec.folder)
    take_over(paths, trial.spec.again)
    known = find(context["known"], recipe)
    owner = Owner(str(trial.number), context["study_id"])
    prunes = "rerun" not in context  # a trial that is run again counts, whatever its loss
    return train(recipe, paths, trial.report, owner, prunes, known, trial.advance).values
