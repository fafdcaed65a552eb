import base64
import io
import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import mlflow
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_servers import model_server
from numpy.typing import NDArray
from PIL import Image
from recipes import recipe

from sweeper.config import Recipe
from sweeper.data.sources.loading import load
from sweeper.errors import MissingInput, SweeperError
from sweeper.records import Owner
from sweeper.saved.classifier import SavedClassifier
from sweeper.saved.reference import find
from sweeper.statistics.intervals import of_share as interval
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.track.journal import Journal, NewRun
from sweeper.track.outbox import Outbox
from sweeper.track.store import Store
from sweeper.train.building import build_classifier_for
from sweeper.train.evaluation import evaluation_batches
from sweeper.train.final_test import evaluate
from sweeper.train.folds import splits_of
from sweeper.train.trained_weights import save_trained_weights
from sweeper.train.winning_model import finish, keep

pytestmark = [
    # MLflow feeds by name what Keras also takes without one
    pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning"),
]


def test_the_interval_is_wilsons() -> None:
    # Newcombe 1998, table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29
    published = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (correct, images), expected in published.items():
        assert interval(correct, images) == pytest.approx(expected, abs=5e-5)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_accuracy_and_has_a_width(counts: tuple[int, int]) -> None:
    correct, images = counts
    low, high = interval(correct, images)
    assert 0 <= low <= correct / images <= high <= 1
    assert low < high


def constant_model(probabilities: list[float]) -> keras.Model:
    """Says the same of every image."""
    images = keras.Input((32, 32, 3))
    nothing = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(0.0)(images))
    dense = keras.layers.Dense(
        len(probabilities),
        kernel_initializer="zeros",
        bias_initializer=keras.initializers.Constant(np.log(probabilities)),
    )
    return keras.Model(images, keras.layers.Softmax()(dense(nothing)))


def expected(truth: Any) -> dict[str, float]:
    share = float((truth == 3).mean())
    low, high = interval(int((truth == 3).sum()), len(truth))
    return {
        "test_loss": float(-(share * np.log(0.82) + (1 - share) * np.log(0.02))),
        "test_accuracy": share,
        "test_accuracy_low": low,
        "test_accuracy_high": high,
        "test_images": float(len(truth)),
    }


CERTAIN_OF_THREES = [0.82 if digit == 3 else 0.02 for digit in range(10)]


def test_evaluation_counts_every_image_once() -> None:
    made = recipe("image_size=32", "batch_size=100")
    test = load(made.dataset).test
    found = evaluate(constant_model(CERTAIN_OF_THREES), evaluation_batches(test, made, 10))
    assert found == pytest.approx(expected(np.asarray(test.labels)), rel=1e-5)


HEAD_ALONE = ("image_size=32", "batch_size=100", "phases.unfrozen=null")
OWNER = Owner("7", "study")


def learned_by(made: Recipe, paths: TrialPaths, owner: Owner) -> None:
    """Leave in the trial's folder a head that is certain of threes, as if it had learned that."""
    split_model = build_classifier_for(made, 10).split_model(None).thaw()
    weights = [np.zeros_like(variable.numpy()) for variable in split_model.learned]
    weights[-1] = np.log(CERTAIN_OF_THREES).astype(np.float32)
    save_trained_weights(paths.learned, weights, made, owner)


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Recipe, dict[str, float]]]:
    """A winner in MLflow, whose folder also holds the model of another run."""
    folder = tmp_path_factory.mktemp("winner")
    made = recipe(*HEAD_ALONE)
    paths = TrialPaths(folder / "trial")
    paths.folder.mkdir()
    constant_model([0.1] * 10).save(paths.model)
    uri = f"sqlite:///{folder}/mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        Journal(paths.mlflow).start(NewRun(uri, "winners", "run", {"a": "b"}, {}, ""))
        learned_by(made, paths, OWNER)
        found = finish(made, paths, OWNER)
        store, outbox = Store(uri), Outbox(paths.mlflow)
        for _ in outbox.deliver(store):
            pass
        (run,) = store.client.search_runs([store.experiment("winners")])
        assert run.data.metrics == pytest.approx(found)
        assert not paths.mlflow.model.exists()
        yield made, found


def winners_uri() -> str:
    (model,) = mlflow.search_logged_models(
        experiment_ids=[mlflow.get_experiment_by_name("winners").experiment_id],
        output_format="list",
    )
    return str(model.model_uri)


def some_images() -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (3, 32, 32, 3)).astype(np.float32)


def some_files() -> list[bytes]:
    """PNG files of other sizes than the network's, and of the channels that there are."""
    rng = np.random.default_rng(0)
    files = []
    for shape in ((40, 20), (9, 90, 3), (33, 31, 4)):
        file = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, shape).astype(np.uint8)).save(file, "PNG")
        files.append(file.getvalue())
    return files


def certain_of_classes(table: pd.DataFrame) -> None:
    assert table["class"].tolist() == ["3"] * 3
    assert table["probability"].tolist() == pytest.approx([0.82] * 3, rel=1e-5)
    for row in table["probabilities"]:
        assert list(row) == [str(digit) for digit in range(10)]
        np.testing.assert_allclose(list(row.values()), CERTAIN_OF_THREES, rtol=1e-5)


def certain(predicted: object) -> None:
    np.testing.assert_allclose(np.asarray(predicted), [CERTAIN_OF_THREES] * 3, rtol=1e-5)


def test_the_winner_is_tested_and_logged(logged: tuple[Recipe, dict[str, float]]) -> None:
    made, found = dict(logged[1]), None
    source = load(logged[0].dataset)
    assert made.pop("milliseconds_per_image") > 0
    ((_, validation),) = splits_of(source, logged[0])
    found = evaluate(
        constant_model(CERTAIN_OF_THREES), evaluation_batches(validation, logged[0], 10)
    )
    assert made.pop("model_val_loss") == pytest.approx(found["test_loss"], rel=1e-5)
    assert made.pop("model_val_accuracy") == pytest.approx(found["test_accuracy"])
    assert made == pytest.approx(expected(np.asarray(source.test.labels)), rel=1e-5)


@pytest.mark.usefixtures("logged")
def test_what_mlflow_keeps_predicts_through_keras_and_through_pyfunc() -> None:
    certain(mlflow.keras.load_model(winners_uri()).predict(some_images(), verbose=0))
    through_mlflow = mlflow.pyfunc.load_model(winners_uri())
    (name,) = through_mlflow.metadata.signature.inputs.input_names()
    for images in (some_files(), [base64.b64encode(file).decode() for file in some_files()]):
        certain_of_classes(through_mlflow.predict({name: images}))
    pixels = list(some_images().astype(np.uint8))
    certain_of_classes(through_mlflow.predict(pd.DataFrame({name: pixels})))
    example = through_mlflow.metadata.load_input_example()
    certain_of_classes(pd.concat([through_mlflow.predict(example)] * 3))


@pytest.mark.more
@pytest.mark.usefixtures("logged")
def test_a_run_and_a_registered_version_mean_the_classifier_that_mlflow_has() -> None:
    uri = mlflow.get_tracking_uri()
    client = mlflow.MlflowClient(uri)
    (model,) = client.search_logged_models([client.get_experiment_by_name("winners").experiment_id])
    client.create_registered_model("digits")
    version = client.create_model_version(
        "digits", model.artifact_location, model_id=model.model_id
    )
    client.set_registered_model_alias("digits", "champion", version.version)
    run_id = model.source_run_id
    by_id = f"models:/{model.model_id}"
    for name in (run_id, f"runs:/{run_id}", "models:/digits@champion", "models:/digits/1", by_id):
        classifier = SavedClassifier.load(find(name, None, uri).network)
        assert classifier.card.class_names == tuple(map(str, range(10)))
        assert classifier.card.image_size == 32
        assert classifier.card.test["test_images"] == 359
        assert classifier.card.origin == {"run": "7", "study": "study"}
        certain(classifier.probabilities([classifier.decoded(one) for one in some_files()]))
    for name, fault in (
        ("0" * 32, "has no run 0000"),
        ("models:/dogs@champion", "registered models: digits"),
        ("models:/digits@other", "has no models:/digits@other"),
        ("models:/digits/9", "it has models:/digits@champion, models:/digits/1"),
        ("models:/digits", "which version of digits is meant"),
        ("models:/digit@champion", "did you mean 'digits'"),
        (f"models:/m-{'0' * 32}", "has no models:/m-0000"),
    ):
        with pytest.raises(MissingInput, match=fault):
            find(name, None, uri)


@pytest.mark.usefixtures("logged")
def test_what_is_no_image_is_named_with_its_row() -> None:
    through_mlflow = mlflow.pyfunc.load_model(winners_uri())
    wrongs = (
        (b"none", "it is no image"),
        ("%", "no base64"),
        (3, "got int"),
        # nothing is rounded or wraps around without a message
        (np.full((4, 4, 3), 0.5, np.float32), "uint8.*got float32"),
        (np.full((4, 4, 3), 300, np.int64), "uint8.*got int64"),
        ([[0.5, 0.5]], "whole numbers from 0 to 255, got float64"),
        ([[0, 300]], "whole numbers from 0 to 255, got 0 to 300"),
        ([[0, 1], [2]], "rows of pixels differ in length"),
    )
    for wrong, fault in wrongs:
        with pytest.raises(SweeperError, match=f"image 1: .*{fault}"):
            through_mlflow.predict(pd.DataFrame({"image": [some_files()[0], wrong]}))


@pytest.mark.slow
@pytest.mark.usefixtures("logged")
@pytest.mark.more
def test_what_mlflow_keeps_predicts_through_its_server(tmp_path: Path) -> None:
    folder = mlflow.artifacts.download_artifacts(winners_uri(), dst_path=str(tmp_path))
    with model_server(Path(folder)) as address:
        rows = [{"image": base64.b64encode(file).decode()} for file in some_files()]
        body = json.dumps({"dataframe_records": rows}).encode()
        request = urllib.request.Request(
            f"{address}/invocations", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request) as answer:
            certain_of_classes(pd.DataFrame(json.load(answer)["predictions"]))


@pytest.mark.parametrize(
    ("other", "fault"),
    [
        (lambda made, paths: learned_by(made, paths, Owner("8", "study")), "by another run"),
        (lambda made, paths: learned_by(made, paths, Owner("7", "other")), "by another run"),
        (
            lambda made, paths: learned_by(recipe(*HEAD_ALONE, "seed=1"), paths, OWNER),
            "by another run",
        ),
        (lambda made, paths: None, "is gone"),
        (lambda made, paths: paths.learned.write_bytes(b"PK"), "cannot be read"),
    ],
    ids=["run", "study", "recipe", "absent", "damaged"],
)
def test_nothing_of_another_run_becomes_a_model(
    other: Callable[[Recipe, TrialPaths], None], fault: str, tmp_path: Path
) -> None:
    made, paths = recipe(*HEAD_ALONE), TrialPaths(tmp_path)
    constant_model(CERTAIN_OF_THREES).save(paths.model)
    other(made, paths)
    with pytest.raises(SweeperError, match=fault):
        keep(made, paths, OWNER)
