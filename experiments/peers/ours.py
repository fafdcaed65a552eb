"""The sweeper's own runs, each in a new folder, and what they recorded."""

import sys
from pathlib import Path

from plan import ALL_BLOCKS, DEPTH_EPOCHS, DEPTHS, SINGLE_RATE, Plan
from runs import Fit, Run, timed

SLOTS = 2
"""Of every sweep that is not about slots."""

FINE_TUNE = (
    "dataset=digits",
    "augment=digits",
    "image_size=96",
    "batch_size=32",
    "optimizer=adam",
    "schedule=constant",
    "head=batch_norm",
    # what base(inputs, training=False) of the peers does
    "drop_connect_rate=0",
)
"""What every run shares, and the peers' objective repeats."""

_SWEEPER = (sys.executable, "-m", "sweeper")
_BLOCKS = "freeze.unfreeze_blocks"
_METRICS = ("epoch_seconds", "val_accuracy")


def sweep(plan: Plan, folder: Path, cache: Path, seed: int, slots: int = SLOTS) -> Run:
    """Search the space of ``plan`` with the default sampler.

    Raises:
        RuntimeError: the command failed, or a trial did not run to its end.
    """
    overrides = (
        *FINE_TUNE,
        "name=sweep",
        f"hydra.sweeper.n_trials={plan.trials}",
        f"hydra.sweeper.n_jobs={slots}",
        f"hydra.sweeper.sampler.seed={seed}",
        *_phases(*plan.epochs),
        *plan.ours,
    )
    seconds = timed([*_SWEEPER, "-m", *overrides], folder, cache)
    return Run(seconds, _trials(folder, "sweep", plan.trials))


def shipped_sweep(folder: Path, cache: Path) -> Run:
    """What ``make sweep`` runs, elsewhere."""
    recipe, trials = "digits_lite0", 5
    seconds = timed([*_SWEEPER, f"+experiment={recipe}", "-m"], folder, cache)
    return Run(seconds, _trials(folder, recipe, trials))


def single(folder: Path, cache: Path, epochs: int) -> Run:
    """One fine-tune with every block trainable and nothing cached."""
    return _fine_tune(folder, cache, ALL_BLOCKS, epochs, ("cache.views=0",))


def depths(folder: Path, cache: Path) -> Run:
    """A fine-tune for each of ``DEPTHS``, whose fits have the seconds of their epochs."""
    runs = [_fine_tune(folder / str(blocks), cache, blocks, DEPTH_EPOCHS) for blocks in DEPTHS]
    return Run(sum(run.seconds for run in runs), [run.fits[0] for run in runs])


def _fine_tune(
    folder: Path, cache: Path, blocks: int, epochs: int, overrides: tuple[str, ...] = ()
) -> Run:
    """One phase with so many top ``blocks`` trainable; ``seconds`` are the whole command's."""
    settings = (
        *FINE_TUNE,
        "name=single",
        "head.dropout=0.2",
        f"{_BLOCKS}={blocks}",
        f"phases.unfrozen.learning_rate={SINGLE_RATE}",
        *_phases(0, epochs),
        *overrides,
    )
    seconds = timed([*_SWEEPER, *settings], folder, cache)
    epoch_seconds, val_accuracy = (_history(folder, metric) for metric in _METRICS)
    return Run(seconds, [Fit(seconds, max(val_accuracy), epoch_seconds)])


def _phases(frozen: int, unfrozen: int) -> tuple[str, ...]:
    phases = {"frozen": frozen, "unfrozen": unfrozen}
    return tuple(
        f"phases.{name}.epochs={epochs}" if epochs else f"phases.{name}=null"
        for name, epochs in phases.items()
    )


def _trials(folder: Path, study: str, trials: int) -> list[Fit]:
    """The trials of ``study`` in the sweeper's database.

    Raises:
        RuntimeError: not all were completed, which would make the comparison unfair.
    """
    import optuna

    storage = f"sqlite:///{folder / 'experiments' / 'studies.db'}"
    found = optuna.load_study(study_name=study, storage=storage).trials
    states = [trial.state.name for trial in found]
    if states != ["COMPLETE"] * trials:
        raise RuntimeError(f"{trials} trials of {study} should be complete, they are {states}")
    first = min(trial.datetime_start for trial in found)
    return [
        Fit(
            trial.duration.total_seconds(),
            trial.values[0],
            ended=(trial.datetime_complete - first).total_seconds(),
            unfreeze_blocks=trial.params.get(_BLOCKS),
        )
        for trial in found
    ]


def _history(folder: Path, metric: str) -> list[float]:
    """A metric of each epoch of the one run that MLflow has of the experiment ``single``."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlruns' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("single")
    (run,) = client.search_runs([experiment.experiment_id])
    values = client.get_metric_history(run.info.run_id, metric)
    return [value.value for value in sorted(values, key=lambda value: value.step)]
