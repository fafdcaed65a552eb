from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from recipes import recipe

from sweeper.data.sources.loading import load
from sweeper.models.size import size_of
from sweeper.train.cost import measure, peak_memory_mb, reset_peak_memory
from sweeper.train.evaluation import evaluation_batches


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="a peak stays elsewhere")
def test_the_peak_of_memory_outlasts_its_use_but_not_its_reset() -> None:
    reset_peak_memory()
    before = peak_memory_mb()
    held = np.ones(25_000_000)  # 200 MB
    assert peak_memory_mb() - before > 190
    del held
    assert peak_memory_mb() - before > 190
    reset_peak_memory()
    assert peak_memory_mb() - before < 100


def test_memory_is_in_megabytes() -> None:
    # TensorFlow alone is more than this, and no test machine has as much
    assert 100 < peak_memory_mb() < 1_000_000


def test_all_costs_of_a_model(capfd: pytest.CaptureFixture[str]) -> None:
    made = recipe("image_size=32", "batch_size=16")
    examples = evaluation_batches(load(made.dataset).test, made, 10)
    model = keras.Sequential(
        [keras.Input((32, 32, 3)), layers.Conv2D(1, 1), layers.Flatten(), layers.Dense(2)]
    )
    size = size_of(model)
    costs = measure(size, lambda: model, examples, ["val_accuracy", "milliseconds_per_image"])
    assert costs.pop("peak_memory_mb") > 0
    assert costs.pop("milliseconds_per_image") > 0
    numbers = {"parameters": 4 + 2050, "trainable_parameters": 4 + 2050}
    assert costs == {**numbers, "flops": 2 * (32 * 32 * 3 + 1024 * 2)}

    def never() -> None:
        raise AssertionError("nothing asks for its time")

    assert "milliseconds_per_image" not in measure(size, never, examples, ["val_accuracy"])
    assert capfd.readouterr() == ("", "")
