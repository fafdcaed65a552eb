"""The whole thing as a person runs it: command line in, MLflow and files out."""

import csv
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from patience import PATIENCE
from PIL import Image

from sweeper.short_numbers import short_number

RunCli = Callable[..., subprocess.CompletedProcess[str]]
QUICK = (
    "+experiment=digits_lite0",
    "image_size=32",
    "batch_size=128",
    "phases.frozen.epochs=1",
    "phases.unfrozen.epochs=1",
)
ARTIFACTS = {
    "config": {"config.yaml", "overrides.yaml"},
    "plots": {"curves.png", "samples.png", "augmented.png", "confusion_matrix.png"},
    "logs": {"trial.log"},
}


def mlflow_client(folder: Path):  # type: ignore[no-untyped-def]
    from sweeper.track.backend.mlflow import connect

    return connect(f"sqlite:///{folder}/mlruns/mlflow.db")


def runs_of(folder: Path, experiment: str, role: str):  # type: ignore[no-untyped-def]
    client = mlflow_client(folder)
    known = client.get_experiment_by_name(experiment)
    return client.search_runs(
        [known.experiment_id], f"tags.`sweeper.role` = '{role}'", order_by=["start_time"]
    )


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("t")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, temporary: Path) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("sweep")
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "sweeper",
            *QUICK,
            "-m",
            "hydra.sweeper.n_trials=3",
            # with this seed the third trial diverges, and the loss check prunes it
            "hydra.sweeper.sampler.seed=6",
            "freeze.unfreeze_blocks=choice(0,1)",
            "optimizer=adam,sgd",
            "optimizer.learning_rate=choice(0.005,1e30)",
        ],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    return folder, ended.stdout


@pytest.mark.slow
@pytest.mark.usefixtures("swept")
def test_a_sweep_leaves_nothing_in_the_temporary_folder(temporary: Path) -> None:
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
def test_the_screen_tells_of_every_trial_and_the_best(swept: tuple[Path, str]) -> None:
    _, screen = swept
    for printed in (
        "trial 0 of 3 started",
        "trial 2 of 3 started",
        "frozen epoch 1 of 2: loss",
        "unfrozen epoch 2 of 2: loss",
        "(best so far)",
        "loss check: ",
        "best recipe:   experiments/digits_lite0/best.yaml",
        "mlflow ui --host 127.0.0.1",
    ):
        assert printed in screen
    # ours say what it sees, and that it starts; what it writes itself goes to logs
    ours = ("device ", "  starting TensorFlow, ")
    about = [line for line in screen.splitlines() if "tensorflow" in line.lower()]
    assert [line for line in about if line.startswith("device ")]
    assert all(line.startswith(ours) for line in about), about
    assert "\x1b" not in screen


@pytest.mark.slow
def test_mlflow_holds_one_study_with_its_trials_below(swept: tuple[Path, str]) -> None:
    folder, _ = swept
    (study,) = runs_of(folder, "digits_lite0", "study")
    trials = runs_of(folder, "digits_lite0", "trial")
    assert study.info.status == "FINISHED"
    assert study.data.tags["sweeper.state"] == "complete"
    assert 0 < study.data.metrics["best_val_accuracy"] <= 1
    assert [trial.data.tags["sweeper.trial_number"] for trial in trials] == ["0", "1", "2"]
    for trial in trials:
        assert trial.data.tags["mlflow.parentRunId"] == study.info.run_id
        assert trial.data.tags["sweeper.command"].startswith(
            "python -m sweeper +experiment=digits_lite0 image_size=32"
        )
        assert trial.data.params["backbone.name"] == "EfficientNetLite0"
        assert trial.data.params["freeze.unfreeze_blocks"] in {"0", "1"}
    states = {trial.data.tags["sweeper.state"] for trial in trials}
    assert states == {"complete", "pruned"}


@pytest.mark.slow
def test_a_person_tells_the_runs_apart_in_mlflow(swept: tuple[Path, str]) -> None:
    folder, _ = swept
    (study,) = runs_of(folder, "digits_lite0", "study")
    trials = runs_of(folder, "digits_lite0", "trial")
    for number, trial in enumerate(trials):
        tags = trial.data.tags
        rate = float(tags["searched.optimizer.learning_rate"])
        assert trial.info.run_name.startswith(f"{number:04d} ")
        assert f" lr={short_number(rate, 3)}" in trial.info.run_name
        assert tags["mlflow.note.content"].startswith(f"**State:** {tags['sweeper.state']}")
        assert (
            f"| `optimizer.learning_rate` &nbsp; | `{rate}` &nbsp; |" in tags["mlflow.note.content"]
        )
        names = tags["sweeper.searched"].split(", ")
        assert tags["sweeper.searched"] == study.data.tags["sweeper.searched"]
        assert {f"searched.{name}" for name in names} == {
            tag for tag in tags if tag.startswith("searched.")
        }
        used = [
            (one.dataset.name, one.tags[0].value, one.dataset.digest)
            for one in trial.inputs.dataset_inputs
        ]
        assert [(name, purpose) for name, purpose, _ in used] == [
            ("digits", "training"),
            ("digits", "validation"),
            ("digits", "test"),
        ]
        same = trials[0].inputs.dataset_inputs
        assert [digest for _, _, digest in used] == [one.dataset.digest for one in same]
        assert tags["mlflow.source.name"] == "python -m sweeper"
        assert "mlflow.source.git.commit" not in tags  # it ran outside a checkout
    note = study.data.tags["mlflow.note.content"]
    assert note.startswith("**State:** complete\n\n**Result:** 3 trials (2 complete, 1 pruned")
    assert "A search over the recipe `digits_lite0`" in note
    ranked = sorted(
        (trial for trial in trials if trial.data.tags["sweeper.state"] == "complete"),
        key=lambda trial: -trial.data.metrics["val_accuracy"],
    )
    linked = re.findall(r"^\| \[(\d+)\]\(#/experiments/\d+/runs/(\w+)\)", note, re.MULTILINE)
    assert dict(linked) == {
        f"{int(trial.data.tags['sweeper.trial_number']):04d}": trial.info.run_id for trial in ranked
    }
    assert f"sweeper predict experiments/{study.info.run_name} IMAGES" in note
    assert str(folder / "experiments" / "digits_lite0") in note
    assert len(study.inputs.dataset_inputs) == 3
    # MLflow's pages open on the metric that was logged first
    assert next(iter(study.data.metrics)) == "best_val_accuracy"
    complete = [one for one in trials if one.data.tags["sweeper.state"] == "complete"]
    assert {next(iter(one.data.metrics)) for one in complete} == {"best_val_accuracy"}


@pytest.mark.slow
def test_the_test_of_the_winner_is_no_part_of_its_duration(swept: tuple[Path, str]) -> None:
    folder, _ = swept
    trials = runs_of(folder, "digits_lite0", "trial")
    (winner,) = (one for one in trials if "test_accuracy" in one.data.metrics)
    number = trials.index(winner)
    assert winner.info.status == "FINISHED"
    # one slot: the next trial began when this one had ended
    assert winner.info.end_time <= trials[number + 1].info.start_time


@pytest.mark.slow
def test_every_trial_has_its_curves_checks_and_artifacts(swept: tuple[Path, str]) -> None:
    folder, _ = swept
    client = mlflow_client(folder)
    for run in runs_of(folder, "digits_lite0", "trial"):
        tags, metrics = run.data.tags, run.data.metrics
        if tags["sweeper.state"] == "pruned":
            assert tags["sanity"] in {"nan", "high"}
            assert "loss check" in tags["sweeper.reason"]
            continue
        assert tags["sanity"] == "ok"
        assert {
            "sanity.log_num_classes",
            "sanity.initial_loss",
            "sanity.frozen_first_epoch_loss",
            "sanity.unfrozen_first_epoch_loss",
        } <= set(metrics)
        for name in ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "phase"):
            history = client.get_metric_history(run.info.run_id, name)
            assert [point.step for point in history] == [0, 1], name
        for place, names in ARTIFACTS.items():
            found = {Path(f.path).name for f in client.list_artifacts(run.info.run_id, place)}
            assert found == names
        config = Path(client.download_artifacts(run.info.run_id, "config/config.yaml"))
        assert yaml.safe_load(config.read_text())["image_size"] == 32


@pytest.mark.slow
def test_only_the_best_trial_saw_the_test_set_and_keeps_its_model(
    swept: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    folder, screen = swept
    trials = runs_of(folder, "digits_lite0", "trial")
    tested = [trial for trial in trials if "test_accuracy" in trial.data.metrics]
    (best,) = tested
    assert f"best trial {best.data.tags['sweeper.trial_number']}" in screen
    assert best.data.metrics["val_accuracy"] == max(t.data.metrics["val_accuracy"] for t in trials)
    kept = list((folder / "experiments" / "digits_lite0" / "trials").glob("*/model.keras"))
    assert [path.parent.name[-1] for path in kept] == [best.data.tags["sweeper.trial_number"]]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlruns/mlflow.db")
    uri = f"runs:/{best.info.run_id}/model"
    model = mlflow.keras.load_model(uri)
    assert model.predict(np.zeros((1, 32, 32, 3), "float32"), verbose=0).shape == (1, 10)
    served = mlflow.pyfunc.load_model(uri)
    assert served.metadata.signature.inputs.input_names() == ["image"]
    answer = served.predict({"image": [np.zeros((8, 8), np.uint8)]})
    assert list(answer.columns) == ["class", "probability", "probabilities"]


@pytest.mark.slow
def test_the_study_folder_holds_what_other_tools_read(swept: tuple[Path, str]) -> None:
    folder, _ = swept
    study = folder / "experiments" / "digits_lite0"
    results = yaml.safe_load((study / "optimization_results.yaml").read_text())
    assert results["name"] == "optuna"
    assert set(results["best_params"]) == {
        "freeze.unfreeze_blocks",
        "optimizer",
        "optimizer.learning_rate",
        "phases.unfrozen.learning_rate",
    }
    rows = list(csv.DictReader((study / "leaderboard.csv").read_text().splitlines()))
    assert len(rows) == 3
    assert rows[0]["state"] == "complete"
    assert int(rows[0]["number"]) == results["best_trial"]
    assert float(rows[0]["val_accuracy"]) == results["best_value"]


@pytest.mark.slow
def test_the_winner_and_its_test_are_in_a_file(swept: tuple[Path, str]) -> None:
    folder, _ = swept
    study = folder / "experiments" / "digits_lite0"
    winner = yaml.safe_load((study / "winner.yaml").read_text())
    results = yaml.safe_load((study / "optimization_results.yaml").read_text())
    assert winner["trial"] == results["best_trial"]
    assert winner["params"] == results["best_params"]
    assert winner["validation"] == {"val_accuracy": results["best_value"]}
    run = mlflow_client(folder).get_run(winner["mlflow_run"])
    for name in ("loss", "accuracy", "accuracy_low", "accuracy_high", "images"):
        assert winner["test"][f"test_{name}"] == run.data.metrics[f"test_{name}"]
    assert (study / winner["folder"] / "model.keras").exists()


@pytest.mark.slow
def test_the_report_is_in_the_folder_and_in_mlflow(swept: tuple[Path, str]) -> None:
    folder, screen = swept
    study = folder / "experiments" / "digits_lite0"
    winner = yaml.safe_load((study / "winner.yaml").read_text())
    report = (study / "report.html").read_text()
    assert "report:        experiments/digits_lite0/report.html" in screen
    assert f"Trial {winner['trial']} is the best of 2 complete trials" in report
    assert f"{winner['test']['test_accuracy']:.4f}" in report
    assert (study / "report" / "mistakes.json").exists()
    assert "Images of each class" in report
    client = mlflow_client(folder)
    experiment = client.get_experiment_by_name("digits_lite0")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id], "tags.`sweeper.role` = 'study'")
    assert "report.html" in [one.path for one in client.list_artifacts(run.info.run_id)]


@pytest.mark.slow
def test_the_page_of_the_folder_explains_each_file_in_it(swept: tuple[Path, str]) -> None:
    folder, screen = swept
    study = folder / "experiments" / "digits_lite0"
    page = (study / "README.md").read_text()
    inside = [path.relative_to(study) for path in study.rglob("*") if path.is_file()]
    for path in inside:
        # some folders of a trial are explained as a whole
        names = [
            *(str(path), path.name, f"{path.parts[0]}/"),
            *(f"... {name}/" for name in path.parts[2:]),
        ]
        assert path.name == "README.md" or any(f"{name}`" in page for name in names), path
    assert "- State: finished at" in page
    assert "2 complete, 1 pruned, 0 failed" in page
    tested = re.search(r"test accuracy .*\)", screen)
    assert tested is not None
    assert tested[0] in page
    for command in (
        "python -m sweeper -m +experiment=digits_lite0 image_size=32",
        "python -m sweeper --config-dir experiments/digits_lite0 --config-name best",
        f"mlflow ui --host 127.0.0.1 --backend-store-uri sqlite:///{folder}/mlruns/mlflow.db",
    ):
        assert f"\n{command}" in page


@pytest.mark.slow
def test_the_best_recipe_composes_to_what_the_best_trial_ran(
    swept: tuple[Path, str], cli: RunCli
) -> None:
    folder, _ = swept
    study = folder / "experiments" / "digits_lite0"
    best = yaml.safe_load((study / "optimization_results.yaml").read_text())["best_trial"]
    ended = cli(f"--config-dir={study}", "--config-name=best", "--cfg=job", "--resolve")
    assert ended.returncode == 0, ended.stderr
    ran = yaml.safe_load((study / "trials" / f"{best:04d}" / "config.yaml").read_text())
    composed = yaml.safe_load(ended.stdout)
    del composed["tracking"], ran["tracking"]
    assert composed == ran


@pytest.mark.slow
def test_the_command_of_a_trial_composes_to_what_it_ran(
    swept: tuple[Path, str], cli: RunCli
) -> None:
    folder, _ = swept
    (trial, *_) = runs_of(folder, "digits_lite0", "trial")
    words = shlex.split(trial.data.tags["sweeper.command"])
    ended = cli(*words[3:], "--cfg=job", "--resolve")
    ran = yaml.safe_load((folder / "experiments/digits_lite0/trials/0000/config.yaml").read_text())
    composed = yaml.safe_load(ended.stdout)
    assert composed["optimizer"] == ran["optimizer"]
    assert composed["freeze"] == ran["freeze"]


@pytest.mark.slow
def test_one_recipe_fine_tunes_once(cli: RunCli, tmp_path: Path) -> None:
    ended = cli(*QUICK, "tracking.experiment=alone", "dataset.fraction=0.3")
    assert ended.returncode == 0, ended.stderr
    assert "unfrozen epoch 2 of 2: loss" in ended.stdout
    assert re.search(r"test accuracy 0\.\d{4} \(95 %: 0\.\d{3} to [01]\.\d{3}\)", ended.stdout)
    (run,) = runs_of(tmp_path, "alone", "trial")
    assert run.data.tags["sweeper.state"] == "complete"
    assert "test_accuracy" in run.data.metrics
    client = mlflow_client(tmp_path)
    for place, names in ARTIFACTS.items():
        found = {Path(file.path).name for file in client.list_artifacts(run.info.run_id, place)}
        assert found == names


@pytest.mark.more
def test_trials_may_run_in_the_process_of_the_sweep(cli: RunCli, tmp_path: Path) -> None:
    ended = cli(
        *QUICK,
        "-m",
        "hydra.sweeper.executor.kind=inline",
        "hydra.sweeper.n_trials=1",
        "optimizer.learning_rate=choice(0.005,0.01)",
        "dataset.fraction=0.2",
    )
    assert ended.returncode == 0, ended.stderr
    (trial,) = runs_of(tmp_path, "digits_lite0", "trial")
    assert trial.data.tags["sweeper.state"] == "complete"
    assert "test_accuracy" in trial.data.metrics
    # what a trial's process would have written to a log is on the screen
    found = mlflow_client(tmp_path).list_artifacts(trial.info.run_id)
    assert [folder.path for folder in found] == ["config", "plots"]


def test_faults_are_one_message_and_nothing_is_started(cli: RunCli, tmp_path: Path) -> None:
    ended = cli("batch_size=0", "drop_connect_rate=1.5", "backbone.name=Xcption")
    assert ended.returncode == 2
    assert "the recipe has 3 faults" in ended.stderr
    assert "did you mean 'Xception'?" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "mlruns").exists()


def test_a_fault_anywhere_in_the_search_space_stops_the_sweep_before_it_starts(
    cli: RunCli, tmp_path: Path
) -> None:
    ended = cli(*QUICK, "-m", "batch_size=choice(32,0)", "drop_connect_rate=interval(0.1,1.5)")
    assert ended.returncode == 2
    assert "batch_size must be >= 1, got 0" in ended.stderr
    assert "drop_connect_rate must be < 1.0, got 1.5" in ended.stderr
    assert not (tmp_path / "mlruns").exists()
    assert not (tmp_path / "experiments" / "studies.db").exists()


@pytest.mark.slow
def test_missing_data_and_weights_are_one_message_before_any_trial(
    cli: RunCli, tmp_path: Path
) -> None:
    # a folder of its own instead of the home directory, so that nothing there can be found; a
    # proxy that refuses, so that nothing can be fetched
    env = {
        "KERAS_HOME": str(tmp_path / "keras"),
        "TFDS_DATA_DIR": str(tmp_path / "tfds"),
        "https_proxy": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
    }
    ended = cli("+experiment=dogs_b0", "-m", env=env)
    assert ended.returncode == 2
    for printed in (
        "stanford_dogs",
        str(tmp_path / "tfds"),
        "dataset.data_dir=",
        "EfficientNetB0",
        str(tmp_path / "keras"),
        "backbone.weights=<path>",
        "freeze=scratch",
    ):
        assert printed in ended.stderr
    assert len(ended.stderr.splitlines()) == 2
    assert not (tmp_path / "mlruns").exists()
    assert not (tmp_path / "experiments" / "studies.db").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "missing"),
    [
        pytest.param("dogs_b0_scratch", ("stanford_dogs",), marks=pytest.mark.more),
        pytest.param("cifar100_b0", ("cifar100", "EfficientNetB0"), marks=pytest.mark.more),
        pytest.param(
            "cats_dogs_mobilenet_v2", ("cats_vs_dogs", "MobileNetV2"), marks=pytest.mark.more
        ),
        ("folder_xception", ("photos", "Xception")),
        pytest.param("digits_scratch", ("photos",), marks=pytest.mark.more),
    ],
)
def test_a_recipe_fits_at_every_corner_of_its_search_and_says_what_is_missing(
    cli: RunCli, tmp_path: Path, recipe: str, missing: tuple[str, ...]
) -> None:
    nothing = {"TFDS_DATA_DIR": str(tmp_path / "data"), "KERAS_HOME": str(tmp_path / "keras")}
    # nobody answers there: neither data nor weights are downloaded
    offline = {"https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    folder = ["dataset=folder", "dataset.path=photos"]
    path = folder if missing[0] == "photos" else []
    ended = cli(f"+experiment={recipe}", "-m", *path, env={**nothing, **offline})
    assert ended.returncode == 2
    printed = ended.stderr.splitlines()
    assert len(printed) == len(missing), ended.stderr
    for line, what in zip(printed, missing, strict=True):
        assert what in line
    assert not (tmp_path / "mlruns").exists()


def test_hydra_users_find_what_they_expect(cli: RunCli) -> None:
    assert "efficientnet_b0" in cli("--help").stdout
    assert "name: digits_lite0" in cli("+experiment=digits_lite0", "--cfg", "job").stdout
    assert "experiment/digits_lite0" in cli("+experiment=digits_lite0", "--info", "defaults").stdout


def test_composing_imports_nothing_heavy(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "sweeper", "--cfg", "job"],
        cwd=tmp_path,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in ended.stderr.splitlines()}
    assert "hydra" in imported
    assert not imported & {"tensorflow", "keras", "mlflow", "optuna", "matplotlib", "sklearn"}


@pytest.mark.slow
@pytest.mark.more
def test_a_folder_of_images_is_fine_tuned(cli: RunCli, tmp_path: Path) -> None:
    numbers = np.random.default_rng(0)
    for index, name in enumerate(("dark", "light", "middle")):
        folder = tmp_path / "images" / name
        folder.mkdir(parents=True)
        for image in range(15):
            pixels = numbers.integers(60 * index, 60 * index + 50, (40, 36, 3)).astype("uint8")
            Image.fromarray(pixels).save(folder / f"{image}.jpg")
    ended = cli(
        "name=photos",
        "dataset=folder",
        "dataset.path=images",
        "image_size=32",
        "batch_size=8",
        "phases.frozen.epochs=1",
        "phases.unfrozen.epochs=1",
        "freeze=head_only",
    )
    assert ended.returncode == 0, ended.stderr
    (run,) = runs_of(tmp_path, "photos", "trial")
    assert run.data.metrics["sanity.log_num_classes"] == pytest.approx(np.log(3))
