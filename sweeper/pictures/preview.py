"""What the recipe's augmentations do to one training image, each by itself and all together."""

import math
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sweeper import config
from sweeper.data.augment.augmentation import build_augment
from sweeper.pictures.figures import as_pixels, font, thumbnail, write_picture

DRAWS = 7
"""Changed images in each row."""
_SIDE, _GAP, _BELOW, _ABOVE = 96, 8, 22, 24
"""Of an image as drawn, between images, between rows with a line of text, and above all of them, in
pixels."""
_OFF: dict[str, Any] = {
    "flip": "none",
    "rotation": 0.0,
    "translation": 0.0,
    "zoom": 0.0,
    "shear": 0.0,
    "brightness": 0.0,
    "contrast": 0.0,
    "rand_augment": 0,
    "mixup": 0.0,
    "cutmix": 0.0,
}
"""Every augmentation, switched off, in the order in which they are applied."""


def save_augmented(
    path: Path, images: ArrayLike, targets: ArrayLike, augment: config.Augment, seed: int
) -> None:
    """Draw one row of changed images for each augmentation that is on, and one for all together.

    The first image, untouched, begins every row. Where it is mixed with others, of other classes if
    there are any, the share that is left of its label stands below.

    Args:
        path: the PNG to write.
        images: ``[n, s, s, 3]``, any number type, values in [0, 255]; one or more.
        targets: ``[n, units]``, as the network is trained with.
        augment: the recipe's augmentations; with none of them the picture says so.
        seed: of the draws.

    Raises:
        ValueError: when ``images`` has another shape or none is there, or ``targets`` another
            length.
    """
    pixels, labels = as_pixels(images), np.asarray(targets, np.float32)
    if len(labels) != len(pixels):
        raise ValueError(f"targets must be [{len(pixels)}, units], got shape {list(labels.shape)}")
    from PIL import Image, ImageDraw

    rows = _rows(augment)
    heights = [_SIDE + (_BELOW if _mixes(settings) else _GAP) for _, settings in rows]
    *tops, bottom = accumulate(heights, initial=_ABOVE)
    margin = 2 * _GAP + max(_width(name) for name, _ in rows)
    size = margin + (DRAWS + 1) * (_SIDE + _GAP), bottom
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    draw.text((margin + _SIDE // 2, _ABOVE - _GAP // 2), "untouched", "black", font(9), "md")
    for top, (name, settings) in zip(tops, rows, strict=True):
        place = margin - _GAP, top + _SIDE // 2
        draw.multiline_text(place, name, "black", font(9), "rm", align="right")
        changed = _draws(settings, pixels.astype(np.float32), labels, seed)
        for column, (image, share) in enumerate([(pixels[0], None), *changed]):
            left = margin + column * (_SIDE + _GAP)
            picture.paste(thumbnail(image, _SIDE), (left, top))
            if share is not None:
                below = left + _SIDE // 2, top + _SIDE + 2
                draw.text(below, f"label {share:.2f}", (77, 77, 77), font(7), "ma")
    write_picture(picture, path)


def _width(name: str) -> int:
    """Of ``name`` as drawn, its longest line, in pixels."""
    return math.ceil(max(font(9).getlength(line) for line in name.split("\n")))


def _mixes(settings: config.Augment) -> bool:
    return bool(settings.mixup or settings.cutmix)


def _rows(augment: config.Augment) -> Sequence[tuple[str, config.Augment]]:
    """Labels of the rows, and the augmentation each shows."""
    chosen = {
        key: getattr(augment, key) for key, off in _OFF.items() if getattr(augment, key) != off
    }
    rows = []
    for key, value in chosen.items():
        name = f"{key}\n{value:g}" if isinstance(value, float) else f"{key}\n{value}"
        if key == "rand_augment":
            name += f" at {augment.rand_augment_magnitude:g}"
        rows.append((name, augment.model_copy(update=_OFF | {key: value})))
    if not rows:
        return [("no augmentation", augment)]
    return rows if len(rows) == 1 else [*rows, ("all together", augment)]


def _draws(
    settings: config.Augment, images: NDArray[Any], targets: NDArray[np.float32], seed: int
) -> list[tuple[NDArray[np.uint8], float | None]]:
    """Changed first images, each with the share that it has kept of its label, if it is mixed."""
    augmentation = build_augment(settings, seed)
    if augmentation is None:
        return []
    differs = (targets.round() != targets[0].round()).any(axis=1)
    # a mixture of two classes shows what becomes of the label
    others = (
        np.flatnonzero(differs) if differs.any() else range(min(1, len(images) - 1), len(images))
    )
    # each copy of the first image is mixed with the image before it
    batch = np.zeros(2 * DRAWS, np.int64)
    batch[::2] = np.resize(others, DRAWS)
    changed, mixed = augmentation(images[batch], targets[batch], draw=0)
    made = zip(as_pixels(np.asarray(changed)[1::2]), np.asarray(mixed)[1::2], strict=True)
    return [(image, _share(targets[0], t) if _mixes(settings) else None) for image, t in made]


def _share(target: NDArray[np.float32], mixed: NDArray[np.float32]) -> float:
    """How much ``mixed`` still says what ``target`` says most; one unit is of the second class."""
    if target.size == 1:
        return float(mixed[0] if target[0] >= 0.5 else 1 - mixed[0])
    return float(mixed[target.argmax()])
