from pathlib import Path

import pytest
from recipes import recipe

from sweeper.errors import ConfigError, MissingInput
from sweeper.train.prepare import prepare

SMALL = ("backbone.weights=null", "image_size=32")


def test_recipes_that_fit_pass() -> None:
    prepare([recipe(*SMALL), recipe(*SMALL, "freeze.unfreeze_blocks=18"), recipe(*SMALL, "seed=1")])


def test_what_only_data_and_backbone_can_tell_is_reported_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        prepare(
            [
                recipe(*SMALL, "head.one_logit=true"),
                recipe(*SMALL, "backbone.blocks=19", "freeze.unfreeze_blocks=19"),
                recipe(*SMALL, "freeze.unfreeze_blocks=all"),
            ]
        )
    assert caught.value.faults == (
        "head.one_logit needs 2 classes, the data set has 10",
        "freeze.unfreeze_blocks must be <= 18, the number of blocks of EfficientNetLite0, got 19",
    )


def test_missing_data_and_weights_are_one_message_beside_other_faults(tmp_path: Path) -> None:
    lost = tmp_path / "lost.weights.h5"
    with pytest.raises(MissingInput) as caught:
        prepare(
            [
                recipe("dataset=folder", f"dataset.path={tmp_path}/photos", *SMALL),
                recipe(f"backbone.weights={lost}", "image_size=32"),
                recipe(*SMALL, "head.one_logit=true"),
            ]
        )
    for printed in (f"{tmp_path}/photos", str(lost), "head.one_logit needs 2 classes"):
        assert printed in str(caught.value)
