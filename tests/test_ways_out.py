"""Predictions of one model by command, MLflow, HTTP, Keras and exported files are the same."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from model_commands import asked, done, pictures, served

from sweeper.export.file_formats import FORMATS
from sweeper.saved.classifier import SavedClassifier

FINE_TUNE = (
    *("+experiment=digits_lite0", "image_size=32", "batch_size=128", "freeze.unfreeze_blocks=1"),
    *("phases.frozen.epochs=1", "phases.unfrozen.epochs=1", "hydra.run.dir=alone"),
)


@pytest.mark.slow
@pytest.mark.more
def test_every_way_out_gives_the_same_probabilities(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    done(project, *FINE_TUNE)
    file = project / "alone" / "model.keras"
    done(project, "promote", "alone/model.keras", "--name", "everywhere")
    model = "models:/everywhere@champion"
    files = pictures(tmp_path)
    lines = done(project, "predict", model, *map(str, files), "--json", "--top", "10").splitlines()
    found = [json.loads(line) for line in lines]
    assert [one["file"] for one in found] == [str(file) for file in files]
    predicted = [{one["class"]: one["probability"] for one in row["classes"]} for row in found]

    program = """
import json, pathlib, sys
import mlflow
mlflow.set_tracking_uri("sqlite:///mlruns/mlflow.db")
model = mlflow.pyfunc.load_model("models:/everywhere@champion")
encoded = [pathlib.Path(file).read_bytes() for file in sys.argv[1:]]
print(json.dumps(list(model.predict({"image": encoded})["probabilities"])))
"""
    ended = subprocess.run(
        [sys.executable, "-c", program, *files], cwd=project, stdout=subprocess.PIPE, check=True
    )
    by_mlflow = json.loads(ended.stdout.splitlines()[-1])

    with served(project, model) as address:
        by_server = [asked(f"{address}/predict", file.read_bytes()) for file in files]

    classifier = SavedClassifier.load(file)
    names = classifier.card.class_names
    images = [classifier.decoded(file.read_bytes()) for file in files]
    network = keras.saving.load_model(file, compile=False)
    by_keras = network.predict(np.stack(images).astype(np.float32), verbose=0)
    for place in range(len(files)):
        for other in (
            by_mlflow[place],
            by_server[place],
            dict(zip(names, by_keras[place], strict=True)),
        ):
            assert list(other) == list(names)
            for name in names:
                assert other[name] == pytest.approx(predicted[place][name], abs=1e-5)

    done(project, "evaluate", model, "--out", "judged")
    figures = json.loads((project / "judged" / "evaluation.json").read_text())["figures"]
    assert figures["accuracy"]["value"] == classifier.card.test["test_accuracy"]

    formats = ("tflite", "onnx")  # tests/export/test_export.py has the others
    done(project, "export", model, "--format", ",".join(formats), "--out", str(tmp_path / "out"))
    for one in (FORMATS[name] for name in formats):
        run = one.open_file(tmp_path / "out" / one.file)
        for place, image in enumerate(images):
            (given,) = run(image[np.newaxis].astype(np.float32))
            wanted = [predicted[place][name] for name in names]
            np.testing.assert_allclose(given, wanted, atol=one.bound)
