from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from recipes import recipe

from sweeper.errors import ConfigError, MissingInput
from sweeper.pictures import lettering
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


@pytest.fixture
def no_fonts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine without fonts, but for matplotlib's own."""
    monkeypatch.setattr(lettering, "_system_fonts", lambda: ())
    for known in (lettering._letters, lettering._with):
        known.cache_clear()
    yield
    for known in (lettering._letters, lettering._with):
        known.cache_clear()


@pytest.mark.usefixtures("no_fonts")
def test_a_person_is_told_of_class_names_that_pictures_cannot_show(tmp_path: Path) -> None:
    for name in ("cat", "柴犬"):
        (tmp_path / name).mkdir()
        for number in range(10):
            pixels = np.random.default_rng(number).integers(0, 255, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    found = prepare([recipe("dataset=folder", f"dataset.path={tmp_path}", *SMALL)])
    (warning,) = (text for text in found.noticed if "font" in text)
    assert warning.startswith("warning: no font here has the letters of 1 class names")
    assert "fonts-noto-cjk" in warning


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
