"""What a study of fine-tunes checks; the whole of it runs in test_cli.py."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from recipes import composed, recipe

from sweeper.app.fine_tune_study import FineTuneStudy
from sweeper.app.preparing.fine_tune_plan import with_fine_tunes
from sweeper.app.preparing.preflight import direction_faults
from sweeper.errors import TrialFailed
from sweeper.execute.inline import InlineExecutor
from sweeper.paths import conf_dir
from sweeper.records import (
    COMPUTED,
    PREBUILT,
    SAVED_BY_CACHE,
    SAVED_BY_PRUNING,
    Cause,
    Prepared,
)
from sweeper.search.hooks import Entry

RunCli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize(
    ("objectives", "direction", "wanted"),
    [
        ("val_accuracy", "maximize", None),
        ("val_accuracy", "minimize", "maximize"),
        ("val_loss", "maximize", "minimize"),
        ("val_accuracy,parameters", ["maximize", "minimize"], None),
        ("val_accuracy,parameters", "maximize", "[maximize,minimize]"),
        ("val_accuracy,milliseconds_per_image", ["maximize"], "[maximize,minimize]"),
    ],
)
def test_the_direction_fits_what_a_trial_is_judged_by(
    objectives: str, direction: object, wanted: str | None
) -> None:
    faults = direction_faults([recipe(f"objectives=[{objectives}]")], direction)
    printed = [f"hydra.sweeper.direction must be {wanted} for objectives=[{objectives}]"]
    assert [fault.split(", got")[0] for fault in faults] == (printed if wanted else [])


def test_where_a_recipe_runs_is_no_part_of_its_fingerprint() -> None:
    one = FineTuneStudy().fingerprint(composed("executor.devices=cpu", "tracking.uri=elsewhere"))
    assert one == FineTuneStudy().fingerprint(composed())
    assert one != FineTuneStudy().fingerprint(composed("batch_size=16"))


def test_the_plan_has_data_network_training_device_and_where_runs_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "")  # set by what is called here, and taken back afterwards
    recipes = [
        recipe("tracking.uri=http://me:secret@host:5000", "freeze.unfreeze_blocks=0"),
        recipe("tracking.uri=http://me:secret@host:5000", "freeze=everything"),
        recipe("tracking.uri=http://me:secret@host:5000", "freeze=scratch"),
    ]
    prepared = Prepared(
        ("digits: 10 classes",), ("Lite0: 18 blocks",), "TensorFlow sees it", (), ""
    )
    generic = [Entry("study", "first"), Entry("device", "cpu"), Entry("results", str(tmp_path))]
    shown = with_fine_tunes(generic, recipes, prepared)
    assert shown == [
        Entry("study", "first"),
        Entry("data", "digits: 10 classes"),
        Entry("network", "Lite0: 18 blocks"),
        Entry(
            "training",
            "5 epochs of the head alone, then 5 epochs of the head alone\n"
            "5 epochs of the head alone, then 5 epochs of the whole network\n"
            "10 epochs of the whole network, from random weights",
        ),
        Entry("device", "cpu; TensorFlow sees it"),
        Entry("results", f"{tmp_path}; README.md there explains each file"),
        Entry("MLflow", "experiment scratchpad; its page:", "http://host:5000"),
    ]
    assert "secret" not in str(shown)


def test_a_gpu_that_tensorflow_cannot_use_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    prepared = Prepared((), (), "TensorFlow 2 sees no GPU", (), "")
    for devices, named in (("auto", True), ("cpu", False)):
        made = [recipe(f"executor.devices={devices}")]
        (device,) = (
            entry.text
            for entry in with_fine_tunes([Entry("device", "here")], made, prepared)
            if entry.label == "device"
        )
        assert ("though the machine has one" in device) is named


class Failing(InlineExecutor):
    """The second piece of work fails."""

    def __init__(self) -> None:
        self.runs = 0

    def run(self, *arguments: Any, **named: Any) -> Any:
        self.runs += 1
        if self.runs == 2:
            raise TrialFailed("killed by SIGKILL", cause=Cause.OOM)
        return super().run(*arguments, **named)


@pytest.mark.more
@pytest.mark.slow
def test_a_sweep_resumes_where_what_trials_share_cannot_be_computed_before_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        config = compose(
            "config",
            overrides=[
                "image_size=32",
                f"hydra.sweep.dir={tmp_path}",
                "hydra.sweep.subdir=trials/0",
            ],
            return_hydra_config=True,
        )
    executor = Failing()
    hooks = FineTuneStudy()
    hooks.check([config])
    hooks.preflight([config], executor)
    hooks.prebuild(executor)
    assert executor.runs == 2
    assert (
        "warning: what trials share was not computed before them: killed by SIGKILL"
        in capsys.readouterr().out
    )


SWEEP = (
    "+experiment=digits_lite0",
    "image_size=32",
    "batch_size=128",
    "phases.frozen.epochs=1",
    "phases.unfrozen.epochs=1",
    "cache.views=1",
)

DEPTHS = "freeze.unfreeze_blocks=range(1,4)"


def built(folder: Path) -> list[bool]:
    """For each trial below ``folder``, whether it built its backbone."""
    logs = [log.read_text() for log in folder.glob("experiments/*/trials/*/logs/trial.log")]
    assert all("frozen epoch 1 of" in log for log in logs)
    return ["builds EfficientNetLite0" in log for log in logs]


@pytest.mark.more
def test_trials_in_which_the_head_alone_trains_build_no_backbone(
    cli: RunCli, tmp_path: Path
) -> None:
    alone = ("phases.unfrozen=null", "~hydra.sweeper.params", "hydra.sweeper.n_trials=2")
    ended = cli(*SWEEP, *alone, "-m", "optimizer.learning_rate=interval(1e-3, 1e-2)")
    assert ended.returncode == 0, ended.stderr
    assert built(tmp_path) == [False, False]


@pytest.mark.slow
@pytest.mark.more
def test_a_sweep_says_what_it_computed_and_one_that_resumes_counts_nothing_twice(
    cli: RunCli, tmp_path: Path
) -> None:
    from sweeper.track.backend.mlflow import connect

    def ledgers(role: str) -> list[dict[str, float]]:
        client = connect(f"sqlite:///{tmp_path}/mlruns/mlflow.db")
        known = client.get_experiment_by_name("digits_lite0")
        assert known is not None
        runs = client.search_runs([known.experiment_id], f"tags.`sweeper.role` = '{role}'")
        of_runs = [run.data.metrics for run in runs]
        return [{k: v for k, v in one.items() if k.startswith("compute.")} for one in of_runs]

    prebuilt = None
    for trials in (1, 2):
        ended = cli(*SWEEP, "-m", DEPTHS, f"hydra.sweeper.n_trials={trials}")
        assert ended.returncode == 0, ended.stderr
        assert ("computing features for all trials" in ended.stdout) == (trials == 1)
        (study,), of_trials = ledgers("study"), ledgers("trial")
        assert len(of_trials) == trials
        assert built(tmp_path) == [True] * trials  # blocks of it train
        # all of it was computed before the first trial
        prebuilt = prebuilt or study[PREBUILT]
        assert study[PREBUILT] == prebuilt > 0
        for one in of_trials:
            assert one[SAVED_BY_CACHE] > 0
        for name, sign in ((COMPUTED, 1), (SAVED_BY_CACHE, -1), (SAVED_BY_PRUNING, 0)):
            total = sum(one[name] for one in of_trials) + sign * prebuilt
            assert study[name] == pytest.approx(total)
        printed = (
            f"computed {study[COMPUTED]:.0f} s; saved {study[SAVED_BY_CACHE]:.0f} s by the cache, "
            f"{study[SAVED_BY_PRUNING]:.0f} s by pruning"
        )
        assert printed in ended.stdout
