"""From a real sweep to a champion, files and a better model, each by its command."""

import contextlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from mlflow import MlflowClient
from model_commands import done, pictures, sweeper
from PIL import Image
from saved.saved_models import saved

from sweeper.export.file_formats import FORMATS
from sweeper.report.reader import StudyReader
from sweeper.saved.card import read_card
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.train.refit import followed

SWEEP = (
    "+experiment=digits_lite0",
    "-m",
    "image_size=32",
    "batch_size=64",
    "phases.frozen.epochs=2",
    "phases.unfrozen.epochs=3",
    "early_stopping.patience=2",
    "hydra.sweeper.n_trials=3",
    "freeze.unfreeze_blocks=1",
)

pytestmark = [pytest.mark.slow, pytest.mark.more]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    done(folder, *SWEEP)
    return folder


def champion(project: Path, name: str = "digits_lite0") -> "tuple[str, str]":
    client = MlflowClient(f"sqlite:///{project}/mlruns/mlflow.db")
    version = client.get_model_version_by_alias(name, "champion")
    return str(version.version), str(version.run_id)


def test_the_test_accuracy_is_recomputed_exactly(project: Path) -> None:
    reader = StudyReader(project / "experiments" / "digits_lite0")
    best = reader.summary().best
    assert best is not None
    done(project, "evaluate", "digits_lite0", "--out", "judged", "--log")
    figures = json.loads((project / "judged" / "evaluation.json").read_text())["figures"]
    card = read_card(TrialPaths(best.folder).model)
    assert card is not None
    assert figures["accuracy"]["value"] == card.test["test_accuracy"]
    client = MlflowClient(f"sqlite:///{project}/mlruns/mlflow.db")
    (experiment,) = client.search_experiments(filter_string="name = 'digits_lite0'")
    (run,) = client.search_runs(
        [experiment.experiment_id], f"tags.`sweeper.trial_number` = '{best.number}'"
    )
    assert run.data.metrics["evaluate_accuracy"] == run.data.metrics["test_accuracy"]
    (folder,) = client.list_artifacts(run.info.run_id, "evaluations")
    files = {Path(one.path).name for one in client.list_artifacts(run.info.run_id, folder.path)}
    assert {"evaluation.json", "confusion_matrix.png"} <= files


def test_a_champion_gives_way_to_a_better_one_alone(project: Path) -> None:
    reader = StudyReader(project / "experiments" / "digits_lite0")
    best = reader.summary().best
    assert best is not None
    first = done(project, "promote", "digits_lite0")
    assert "is version 1 of digits_lite0, and its champion" in first
    assert champion(project)[0] == "1"
    assert "already, version 1" in done(project, "promote", "digits_lite0")
    program = """
import mlflow, numpy as np
mlflow.set_tracking_uri("sqlite:///mlruns/mlflow.db")
model = mlflow.pyfunc.load_model("models:/digits_lite0@champion")
print(*model.predict({"image": [np.zeros((8, 8, 3), np.uint8)]}))
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=project, stdout=subprocess.PIPE, text=True, check=True
    )
    assert ended.stdout.split() == ["class", "probability", "probabilities"]
    card = read_card(TrialPaths(best.folder).model)
    assert card is not None
    side = card.image_size
    untrained = keras.Sequential(
        [keras.Input((side, side, 3)), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")]
    )
    worse = saved(project / "worse.keras", untrained, card)
    refused = done(project, "promote", str(worse), code=1)
    assert "not promoted" in refused
    assert re.search(r"correct alone +\d+ against \d+", refused)
    assert champion(project)[0] == "1"
    forced = done(project, "promote", str(worse), "--force")
    assert "version 2" in forced
    assert champion(project)[0] == "2"
    again = done(project, "promote", "digits_lite0")
    assert "against" in again
    assert champion(project)[0] == "1"  # the model is a version already


def test_a_refit_has_seen_validation_and_repeats_the_epochs(project: Path) -> None:
    reader = StudyReader(project / "experiments" / "digits_lite0")
    best = reader.summary().best
    assert best is not None
    shown = done(project, "promote", "digits_lite0", "--refit", "--name", "refit", "--force")
    assert "no validation result" in shown
    refit = project / "experiments" / "digits_lite0" / "models" / "refit"
    card = read_card(refit / "model.keras")
    assert card is not None
    assert card.validation == {}
    assert card.test["test_images"] == 359
    curves = reader.curves(best.number)
    lines = (refit / "metrics.jsonl").read_text().splitlines()
    wanted = followed(reader.recipe(best.number), curves)
    assert len(lines) == sum(map(len, wanted.values()))
    rates = [json.loads(line)["metrics"]["learning_rate"] for line in lines]
    assert rates[0] <= wanted["frozen"][0]["learning_rate"]
    client = MlflowClient(f"sqlite:///{project}/mlruns/mlflow.db")
    version, run_id = champion(project, "refit")
    assert version == "1"
    run = client.get_run(run_id)
    assert "test_accuracy" in run.data.metrics
    assert not [name for name in run.data.metrics if "val" in name]
    there = done(project, "promote", "digits_lite0", "--refit", "--name", "refit")
    assert "is there already" in there


def test_what_is_made_of_the_trials_is_judged_and_can_be_promoted(project: Path) -> None:
    shown = done(project, "improve", "digits_lite0")
    for kind in ("calibrated", "ensemble", "soup"):
        assert f"{kind}: " in shown
    for kind in re.findall(r"^(\w+): (?:temperature|trial|uniform|greedy)", shown, re.MULTILINE):
        card = read_card(project / f"experiments/digits_lite0/models/{kind}/model.keras")
        assert card is not None
        assert card.origin["made"].startswith(kind)
    done(project, "promote", "digits_lite0", "--calibrated", "--force", "--name", "calibrated")
    assert champion(project, "calibrated")[0] == "1"
    photo = project / "photo.png"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(photo)
    predicted = done(project, "predict", "models:/calibrated@champion", str(photo), "--json")
    assert json.loads(predicted)["file"] == str(photo)


def test_every_format_is_exported_and_compared(project: Path) -> None:
    formats = ",".join(FORMATS)
    shown = done(project, "export", "digits_lite0", "--format", formats, "--images", "20")
    for name in formats.split(","):
        assert re.search(rf"^{name} .* of 20$", shown, re.MULTILINE), shown
    folder = project / "exports" / "digits_lite0"
    assert (folder / "labels.txt").read_text().splitlines() == [str(k) for k in range(10)]
    unknown = sweeper(project, "export", "digits_lite0", "--format", "onxx")
    assert unknown.returncode == 2
    assert "onnx" in unknown.stderr


@pytest.mark.kill
def test_while_refits_are_killed_the_champion_answers(project: Path, tmp_path: Path) -> None:
    """Each is killed later than the one before, until one ends before its kill."""
    done(project, "promote", "digits_lite0", "--name", "killed")
    (file, *_) = pictures(tmp_path)
    predict = ("predict", "models:/killed@champion", str(file), "--json")
    before = done(project, *predict)
    command = [sys.executable, "-m", "sweeper", "promote", "digits_lite0"]
    command += ["--refit", "--name", "killed", "--force"]
    shutil.rmtree(project / "experiments" / "digits_lite0" / "models" / "refit", ignore_errors=True)
    for number in range(10):
        with subprocess.Popen(
            command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(2 + 2.5 * number)
            process.kill()
        assert done(project, *predict) == before or process.returncode == 0
    done(project, *command[3:])
    assert champion(project, "killed")[0] != "1"
    assert json.loads(done(project, *predict))["file"] == str(file)
