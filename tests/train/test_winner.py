from pathlib import Path
from typing import Any

import keras
import mlflow
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recipes import recipe

from sweeper.data.sources import load
from sweeper.paths import TrialPaths
from sweeper.train.trial import evaluation_batches
from sweeper.train.winner import evaluate, finish, interval


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


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")  # mlflow's own
def test_the_winner_is_tested_and_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = recipe("image_size=32", "batch_size=100")
    paths = TrialPaths(tmp_path / "trial")
    paths.model.parent.mkdir(parents=True)
    constant_model(CERTAIN_OF_THREES).save(paths.model)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    # mlflow.set_tracking_uri leaves its address in the environment
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    client = mlflow.MlflowClient(uri)
    experiment = client.create_experiment("winners", artifact_location=str(tmp_path / "artifacts"))
    run = client.create_run(experiment).info.run_id
    found = finish(made, paths, uri, run)
    assert client.get_run(run).data.metrics == pytest.approx(found)
    assert found.pop("milliseconds_per_image") > 0
    assert found == pytest.approx(expected(np.asarray(load(made.dataset).test.labels)), rel=1e-5)
