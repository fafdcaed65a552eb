"""A trial trained again on train plus validation."""

import logging
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import pytest
from recipes import recipe

from sweeper.errors import SweeperError
from sweeper.records import Owner
from sweeper.report.reader import EpochRecord
from sweeper.saved.card import read_card
from sweeper.study_files.lines import read
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.track.local import LocalTracker
from sweeper.train.fit.phase_state import Epoch
from sweeper.train.refit import followed, refit
from sweeper.train.trial import Trial

SHORT = (
    *("+experiment=digits_lite0", "image_size=32", "batch_size=128", "dataset.fraction=0.5"),
    *("phases.frozen.epochs=2", "phases.unfrozen=null"),
)
OWNER = Owner("3", "study")


class Stopped(Exception):
    """As a kill, between two epochs."""


@pytest.mark.more
@pytest.mark.slow
def test_it_sees_all_images_and_continues_after_an_interruption(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made, trial, again = recipe(*SHORT), TrialPaths(tmp_path / "trial"), tmp_path / "again"
    report = lambda *_arguments, **_keywords: None  # noqa: E731
    Trial(made, trial, LocalTracker(trial), report, False, owner=OWNER).run()
    epochs = followed(made, [EpochRecord(**line) for line, _ in read(trial.metrics)])
    total = sum(map(len, epochs.values()))
    seen: list[int] = []

    def stops(epoch: Epoch, metrics: Mapping[str, float]) -> None:
        seen.append(epoch.step)
        assert not [name for name in metrics if "val" in name]
        if len(seen) == total - 1:
            raise Stopped

    def go_on(epoch: Epoch, _metrics: Mapping[str, float]) -> None:
        seen.append(epoch.step)

    caplog.set_level(logging.INFO)
    results, models = [], []
    for folder in (again, tmp_path / "whole"):
        paths = TrialPaths(folder)
        if folder == again:
            with pytest.raises(Stopped):
                refit(made, epochs, paths, OWNER, {}, stops)
            assert not paths.model.exists()
        results.append(refit(made, epochs, paths, OWNER, {"made": "refit of trial 3"}, go_on))
        models.append(keras.saving.load_model(paths.model, compile=False).get_weights())
        assert not paths.checkpoints
    assert results[0] == results[1]
    for one, other in zip(*models, strict=True):
        np.testing.assert_array_equal(one, other)
    assert "resumes after epoch" in caplog.text
    assert "718 images train, with those that validated" in caplog.text
    card = read_card(TrialPaths(again).model)
    assert card is not None
    assert card.validation == {}
    assert card.test == {k: v for k, v in results[0].items() if k.startswith("test_")}
    assert card.origin["made"] == "refit of trial 3"


def test_test_images_that_validated_do_not_train(tmp_path: Path) -> None:
    made = recipe(*SHORT, "validation=test")
    with pytest.raises(SweeperError, match="train on the test images"):
        refit(made, {}, TrialPaths(tmp_path), OWNER, {}, lambda *_: None)
