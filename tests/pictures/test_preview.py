"""What the picture of the augmentations shows, and that it can be drawn for any recipe."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from PIL import Image

from sweeper.config import Augment
from sweeper.paths import conf_dir
from sweeper.pictures import preview
from sweeper.pictures.preview import DRAWS, save_augmented

OFF = yaml.safe_load((conf_dir() / "augment" / "none.yaml").read_text())
RED, BLUE = (220, 20, 20), (20, 20, 220)


def augment(**changes: object) -> Augment:
    return Augment.model_validate(OFF | changes)


def plain(*colours: tuple[int, int, int], side: int = 32) -> NDArray[np.float32]:
    return np.stack([np.full((side, side, 3), colour, np.float32) for colour in colours])


def read(path: Path) -> NDArray[np.int64]:
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(np.int64)


def drawn(
    path: Path, images: Any, settings: Augment, targets: Any = None, seed: int = 0
) -> NDArray[np.int64]:
    if targets is None:
        targets = np.eye(len(images), dtype=np.float32)
    save_augmented(path / "augmented.png", images, targets, settings, seed)
    return read(path / "augmented.png")


def near(picture: NDArray[Any], colour: tuple[int, int, int]) -> int:
    return int((np.abs(picture - colour).max(axis=-1) <= 12).sum())


def thumbnails(picture: NDArray[Any], colour: tuple[int, int, int]) -> float:
    """How many whole images of one colour there are."""
    return near(picture, colour) / preview._SIDE**2


def test_each_augmentation_has_a_row_and_all_together_the_last() -> None:
    changes = {"flip": "horizontal", "rotation": 0.15, "rand_augment": 2, "mixup": 0.2}
    rows = preview._rows(augment(**changes))
    assert [name.replace("\n", " ") for name, _ in rows] == [
        "flip horizontal",
        "rotation 0.15",
        "rand_augment 2 at 0.5",
        "mixup 0.2",
        "all together",
    ]
    for (_, settings), (key, value) in zip(rows[:-1], changes.items(), strict=True):
        assert settings == augment(**{key: value})
    assert rows[-1][1] == augment(**changes)
    assert {**preview._OFF, "rand_augment_magnitude": 0.5} == OFF


def test_one_augmentation_is_one_row() -> None:
    assert len(preview._rows(augment(zoom=0.1))) == 1


def test_the_first_column_is_untouched(tmp_path: Path) -> None:
    picture = drawn(tmp_path, plain(RED), augment(brightness=0.9))
    assert 0.9 < thumbnails(picture, RED) < 2.5  # the others are darker or lighter
    coloured = np.ptp(picture, axis=-1) > 60
    red = np.abs(picture - RED).max(axis=-1) <= 12
    assert np.argwhere(red)[:, 1].min() == np.argwhere(coloured)[:, 1].min()
    rows = drawn(tmp_path, plain(RED), augment(brightness=0.9, contrast=0.9))
    # contrast leaves a plain image
    assert thumbnails(rows, RED) == pytest.approx(3 + DRAWS, abs=1.2)


def test_without_mixing_only_the_first_image_is_shown(tmp_path: Path) -> None:
    picture = drawn(tmp_path, plain(RED, BLUE), augment(flip="horizontal"))
    assert thumbnails(picture, RED) == pytest.approx(1 + DRAWS, abs=0.1)
    assert not near(picture, BLUE)


@pytest.mark.parametrize("one_logit", [False, True])
def test_a_mixture_is_of_two_classes_and_says_what_is_left_of_the_label(
    tmp_path: Path, one_logit: bool
) -> None:
    images = plain(RED, RED, BLUE)
    labels = np.array([0, 0, 1])
    targets = labels[:, None] if one_logit else np.eye(2)[labels]
    shown = preview._draws(augment(cutmix=1.0), images, targets.astype(np.float32), 0)
    for image, share in shown:
        assert share == pytest.approx((image[..., 0] == RED[0]).mean(), abs=1e-6)
    assert 0 < min(share or 0 for _, share in shown) < 0.9
    picture = drawn(tmp_path, images, augment(cutmix=1.0), targets)
    red, blue = thumbnails(picture, RED), thumbnails(picture, BLUE)
    assert red + blue == pytest.approx(1 + DRAWS, abs=1)  # box edges are blurred
    assert red == pytest.approx(1 + sum(share or 0 for _, share in shown), abs=0.5)


def test_no_augmentation_is_one_untouched_image(tmp_path: Path) -> None:
    picture = drawn(tmp_path, plain(RED, BLUE), augment())
    assert thumbnails(picture, RED) == pytest.approx(1, abs=0.1)
    assert not near(picture, BLUE)


def test_the_seed_decides(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (3, 40, 40, 3))
    settings = augment(rotation=0.2, mixup=0.5)
    first = drawn(tmp_path, images, settings)
    assert np.array_equal(first, drawn(tmp_path, images, settings))
    assert not np.array_equal(first, drawn(tmp_path, images, settings, seed=1))


@pytest.mark.parametrize("kind", ["uint8", "int64", "float64"])
@pytest.mark.parametrize("count", [1, 2, 12])
def test_any_number_of_images_of_any_kind(tmp_path: Path, count: int, kind: str) -> None:
    images = plain(*[RED] * count, side=20).astype(kind)
    picture = drawn(tmp_path, images, augment(mixup=0.5, flip="vertical"))
    assert thumbnails(picture, RED) == pytest.approx(3 * (1 + DRAWS), rel=0.03)


@pytest.mark.slow
def test_everything_at_once_on_photographs_stays_small(tmp_path: Path) -> None:
    from sklearn.datasets import load_sample_image

    photo = load_sample_image("china.jpg")
    crops = np.stack([photo[i * 20 : i * 20 + 224, i * 40 : i * 40 + 224] for i in range(9)])
    everything = {key: 0.2 for key, value in OFF.items() if isinstance(value, float)}
    settings = augment(**everything, flip="horizontal", rand_augment=2)
    picture = drawn(tmp_path, crops, settings)
    assert picture.shape[0] > 11 * preview._SIDE
    assert (tmp_path / "augmented.png").stat().st_size < 1_600_000


@pytest.mark.parametrize("shape", [(0, 8, 8, 3), (8, 8, 3), (2, 8, 8, 1)])
def test_images_of_a_wrong_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"images must be .*got shape \["):
        drawn(tmp_path, np.zeros(shape), augment(), np.zeros((len(shape), 1)))
    assert not list(tmp_path.iterdir())


def test_targets_of_another_number(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"targets must be \[2, units\], got shape \[1, 3\]"):
        drawn(tmp_path, plain(RED, BLUE), augment(), np.zeros((1, 3)))
