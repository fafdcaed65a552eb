"""A clock that is set back in the middle of a study."""

import importlib.util
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

import pytest
from faults.sweeps import DIGITS, SHARED, counted, engine, sweeper
from search.controllers import at, check_finished, trials_of
from servers import postgres

from sweeper.report.reader import StudyReader
from sweeper.track.backend.mlflow import connect

GROUP = "Clock"
Seen = Callable[[str], None]
HOUR = 3600


def with_clock(file: Path) -> Mapping[str, str]:
    """The environment of processes whose clock differs by the seconds in ``file``."""
    found = importlib.util.find_spec("libfaketime")
    if found is None or found.origin is None:
        pytest.skip("needs libfaketime")
    library = Path(found.origin).parent / "vendor/libfaketime/src/libfaketime.so.1"
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        # as the system's, the clock for durations is set by nobody
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }


@pytest.mark.faults(
    fault="the clock of one of two controllers, and of its trials, steps back by an hour",
    promised="durations are right, no trial is taken for dead: exactly `n_trials`",
)
def test_the_clock_of_a_controller(tmp_path: Path, seen: Seen) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    with postgres(tmp_path) as url:
        words = (*SHARED, *at(url, "clock"), "pause=0.2")
        with (
            engine(tmp_path, *words, environment=with_clock(clock)) as one,
            engine(tmp_path, *words) as other,
        ):
            one.await_line("step 2")
            clock.write_text(f"-{HOUR}\n")
            codes = [one.end(), other.end()]
            assert codes == [0, 0], one.printed + other.printed
        trials = trials_of(url, "clock")
    check_finished(tmp_path, trials, 20)
    assert len(trials) == 20
    longest = max(trial.user_attrs["trial_seconds"] for trial in trials)
    back = sum(
        later.datetime_start < earlier.datetime_start
        for earlier, later in pairwise(trials)
        if later.datetime_start and earlier.datetime_start
    )
    assert back > 0
    assert 0 < longest < HOUR / 2
    seen(f"{counted(trials, 20)}; longest trial {longest:.1f} s; exit codes 0 and 0")


@pytest.mark.faults(
    fault="the clock steps back by an hour between two epochs of a fine-tune",
    promised="durations are not negative, the order of trials and of epochs stays, MLflow has "
    "every point",
)
def test_the_clock_of_a_fine_tune(tmp_path: Path, seen: Seen) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    with sweeper(
        tmp_path, *DIGITS, "hydra.sweeper.n_trials=2", environment=with_clock(clock)
    ) as sweep:
        sweep.await_line("epoch 1 of 2")
        clock.write_text(f"-{HOUR}\n")
        assert sweep.end() == 0, sweep.printed
    reader = StudyReader(tmp_path / "experiments" / "digits_lite0")
    rows = reader.summary().rows
    assert [row.number for row in rows] == [0, 1]
    assert all(0 < row.seconds < HOUR / 2 for row in rows)
    client = connect(f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("digits_lite0")
    assert experiment is not None
    points = 0
    for run in client.search_runs([experiment.experiment_id]):
        if number := run.data.tags.get("sweeper.trial_number"):
            history = client.get_metric_history(run.info.run_id, "val_loss")
            epochs = [epoch.metrics["val_loss"] for epoch in reader.curves(int(number))]
            assert [one.value for one in sorted(history, key=lambda m: m.step)] == epochs
            points += len(epochs)
    assert points == 4
    seconds = ", ".join(f"{row.seconds:.1f}" for row in rows)
    seen(f"2 of 2 finished after {seconds} s; all {points} points of `val_loss` in MLflow")
