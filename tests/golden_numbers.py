"""The numbers that kept results depend on, as this version computes them.

``python tests/golden_numbers.py`` writes ``golden_numbers.json``, after a version has been raised.
"""

import io
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image
from recipes import recipe
from sklearn.datasets import load_sample_image

from sweeper.data import batches, stratified
from sweeper.data.augment import augmentation, image_draws
from sweeper.data.augment.augmentation import build_augment
from sweeper.data.examples import Examples
from sweeper.data.image_reading import decoding
from sweeper.models.folding import Folded
from sweeper.models.pretrained.networks import build_backbone
from sweeper.train.frozen import frozen_pass

GOLDEN = Path(__file__).with_suffix(".json")
SIDE = 32

Numbers = dict[str, list[float]]


def photographs(side: int = SIDE) -> tf.Tensor:
    """``[4, side, side, 3]`` float32: parts of the two photographs of scikit-learn."""
    parts = [
        load_sample_image(name)[top : top + 256, 100:356]
        for name in ("china.jpg", "flower.jpg")
        for top in (0, 150)
    ]
    return tf.image.resize(np.float32(parts), (side, side), antialias=True)


def sampled(values: object) -> list[float]:
    """The mean, the deviation and twelve single values, spread over all."""
    flat = np.asarray(values, np.float64).ravel()
    places = np.linspace(0, len(flat) - 1, 12).astype(int)
    return [round(float(value), 4) for value in (flat.mean(), flat.std(), *flat[places])]


def augmented() -> Numbers:
    """Each augmentation by itself, and all together."""
    amounts: dict[str, object] = {
        "flip": "horizontal_and_vertical",
        "rotation": 0.1,
        "translation": 0.1,
        "zoom": 0.2,
        "shear": 0.1,
        "contrast": 0.3,
        "brightness": 0.3,
        "rand_augment": 2,
        "mixup": 0.4,
        "cutmix": 1.0,
    }
    targets = tf.one_hot([0, 1, 2, 3], 4)
    cases = {key: (f"augment.{key}={value}",) for key, value in amounts.items()}
    cases["all"] = tuple(line for lines in cases.values() for line in lines)
    found: Numbers = {}
    for name, lines in cases.items():
        augment = build_augment(recipe(*lines).augment, 7)
        assert augment is not None
        images, mixed = augment(photographs(), targets, 3)
        found[name] = sampled(images) + sampled(mixed)[:2]
    return found


def drawn_for_images() -> Numbers:
    """What is drawn for four hashes, and how images are changed by it."""
    hashes = np.array([bytes([place]) * 16 for place in range(1, 5)], "S16")
    changes = ("augment.rotation=0.1", "augment.brightness=0.3", "augment.rand_augment=2")
    augment = build_augment(recipe(*changes).augment, 7)
    assert augment is not None
    draws = image_draws.image_draws(hashes, 7, 3, augment.draws)
    more = image_draws.image_draws(hashes, 2**32 - 1, 9, 40)
    return {
        "draws": sampled(1000 * draws),
        "more draws": sampled(1000 * more),
        "images": sampled(augment.by_image(photographs(), draws)),
    }


def frozen() -> Numbers:
    """What frozen layers make of photographs, folded as in a pass, in half precision."""
    made = recipe("backbone=efficientnet_lite0", f"image_size={SIDE}")
    network = build_backbone(made.backbone, SIDE, None)
    given = tf.cast(Folded(network)(photographs(), training=False), tf.float16)
    return {"efficientnet_lite0": sampled(given)}


def decoded() -> Numbers:
    """Pixels of files of several formats, and resized."""
    picture = Image.fromarray(load_sample_image("china.jpg")[:200, :300])
    decode = decoding.Decoder(10**8)
    found: Numbers = {}
    for kind in ("PNG", "BMP", "JPEG", "GIF", "TIFF", "WEBP"):
        file = io.BytesIO()
        picture.save(file, kind)
        image = decode(tf.constant(file.getvalue()))
        found[kind] = sampled(image)
    return found


def ordered() -> Numbers:
    """Resized images, and their order."""
    source = tf.data.Dataset.range(20)
    epoch = tf.data.Dataset.range(2, 3)
    order = epoch.flat_map(batches.as_written(partial(batches.shuffled, source, 20, 5)))
    images = Examples(
        labels=np.zeros(2, np.int64),
        indices=np.arange(2),
        read=lambda places: tf.data.Dataset.from_tensor_slices(photographs(96)).take(len(places)),
        decode=lambda image: tf.cast(image, tf.uint8),
        size=(96, 96),
    )
    small = batches.batches(images, 40, 2, target=lambda label: label, shuffle_seed=None)
    large = batches.batches(images, 120, 2, target=lambda label: label, shuffle_seed=None)
    return {
        "shrunk": sampled(next(iter(small.dataset))[0]),
        "enlarged": sampled(next(iter(large.dataset))[0]),
        "shuffled": [float(place) for place in order.as_numpy_iterator()],
    }


def split() -> Numbers:
    """Which images are held out, and in which fold each is."""
    labels = np.repeat(np.arange(3), (20, 11, 5))
    draws = stratified.draws_of((f"{number}.jpg" for number in range(len(labels))), (4, 1))
    return {
        "drawn": [float(place) for place in stratified.draw(labels, draws, 0.3, (4, 1))],
        "dealt": [float(part) for part in stratified.deal(labels, draws, 3, (4, 1))],
    }


ROOMS: Mapping[str, tuple[str, Callable[[], Numbers]]] = {
    "augmentation": (str(augmentation.NUMBERS), augmented),
    "frozen_pass": (str(frozen_pass.NUMBERS), frozen),
    "image_draws": (str(image_draws.NUMBERS), drawn_for_images),
    "decoding": (str(decoding.NUMBERS), decoded),
    "batches": (str(batches.NUMBERS), ordered),
    "splits": ("2", split),  # keys of caches hold the places themselves: no version in the code
}
"""By the name of a room its version of numbers, and what computes them."""

if __name__ == "__main__":
    now = {f"{name} {version}": compute() for name, (version, compute) in ROOMS.items()}
    GOLDEN.write_text(json.dumps(now, indent=1) + "\n")
