"""What lies beside exported files: how to feed them, and what their outputs mean."""

from collections.abc import Mapping
from pathlib import Path

from sweeper.disk.files import write_aside
from sweeper.export.file_check import Checked
from sweeper.export.file_formats import FORMATS
from sweeper.saved.card import Card

PAGE = "README.md"
LABELS = "labels.txt"

_PIXELS = """import numpy as np
from PIL import Image, ImageOps

image = ImageOps.exif_transpose(Image.open("photo.jpg")).convert("RGB")
image = image.resize(({side}, {side}), Image.Resampling.BILINEAR)
pixels = np.asarray(image, np.float32)[np.newaxis]  # 0 to 255, the network scales them itself"""

_CLASS = """labels = open("labels.txt", encoding="utf-8").read().splitlines()
print(labels[probabilities[0].argmax()], probabilities[0].max())"""


def write_page(folder: Path, name: str, card: Card, written: Mapping[str, Checked]) -> None:
    """Write :data:`PAGE` and :data:`LABELS` into ``folder``; ``written`` goes by format."""
    write_aside(folder / LABELS, "".join(f"{one}\n" for one in card.class_names))
    side = card.image_size
    rows = [
        f"| [{FORMATS[one].file}]({FORMATS[one].file}) | {FORMATS[one].what} "
        f"| {checked.megabytes:.1f} MB | {checked.milliseconds:.1f} ms "
        f"| {checked.largest:.1e} | {checked.changed} of {checked.images} |"
        for one, checked in written.items()
    ]
    examples = [
        f"With {FORMATS[one].file}:\n\n```python\n"
        f"{FORMATS[one].example.format(file=FORMATS[one].file)}\n```"
        for one in written
    ]
    test = card.test.get("test_accuracy")
    tested = f" Its accuracy on test images is {test:.4f}." if test is not None else ""
    text = f"""# {name}

A classifier of {len(card.class_names)} classes, exported by sweeper.{tested}

| file | for | size | an image | largest difference | other class |
|---|---|---|---|---|---|
{chr(10).join(rows)}

Milliseconds are of one image alone on the CPU. Differences are of probabilities, from those of the
original, on images that it was validated on.

## How to feed it

Input: float32 `[n, {side}, {side}, 3]`, RGB, values from 0 to 255: do **not** scale or normalize
them. Turn pictures upright as EXIF says, and resize them with a bilinear filter that averages where
they shrink. Output: float32 `[n, {len(card.class_names)}]`, probabilities that sum to 1, in the
order of the lines of `labels.txt`.

```python
{_PIXELS.format(side=side)}
```

{chr(10).join(f"{one}{chr(10)}" for one in examples)}
Then:

```python
{_CLASS}
```
"""
    write_aside(folder / PAGE, text)
