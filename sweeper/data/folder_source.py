"""Images in one folder a class: ``train/<class>/`` and ``test/<class>/``, or ``<class>/`` alone."""

from collections import Counter
from pathlib import Path

import numpy as np
import tensorflow as tf

from sweeper.config import Folder, nearest
from sweeper.data.batches import parallelism, plain_options
from sweeper.data.examples import Examples, Source, split_test
from sweeper.errors import ConfigError, MissingInput

READABLE = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif"})
"""What ``tf.io.decode_image`` decodes."""

_UNREADABLE = frozenset({".avif", ".heic", ".jp2", ".tif", ".tiff", ".webp"})
"""Images that TensorFlow cannot decode; leaving them out in silence would shrink the data set."""

_SHOWN = 10
"""Faulty files named in one message."""


def load(dataset: Folder) -> Source:
    """List the files; folders and files are taken in sorted order, hidden ones not at all.

    Raises:
        MissingInput: ``dataset.path`` is not a folder.
        ConfigError: it holds no two classes, a class without images, images that cannot be
            decoded by TensorFlow, or other classes in ``train/`` than in ``test/``.
    """
    root = dataset.path.expanduser().absolute()
    if not root.is_dir():
        raise MissingInput(
            f"dataset.path: there is no folder {root}; "
            "set dataset.path=<folder that holds one folder of images a class>"
        )
    parted = [name for name in ("train", "test") if _folders(root / name)]
    if len(parted) == 2:
        train, test = _scan(root / "train"), _scan(root / "test")
        _same_classes(root, train, test)
        return Source(tuple(train), _examples(train), _examples(test))
    if parted and len(_folders(root)) == 1:
        raise ConfigError(
            [f"dataset.path {root} holds {parted[0]}/ only; set dataset.path={root / parted[0]}"]
        )
    files = _scan(root)
    rest, held_out = split_test(_examples(files), dataset.test_fraction, dataset.split_seed)
    return Source(tuple(files), rest, held_out)


def prepare(dataset: Folder) -> None:
    """Decode every image once, so that a broken file is named before the first trial starts.

    Inside a trial's pipeline TensorFlow could not say which file it was.

    Raises:
        MissingInput, ConfigError: as :func:`load`, or images that do not decode.
    """
    source = load(dataset)
    faults = [fault for part in (source.train, source.test) for fault in _broken(part)]
    if len(faults) > _SHOWN:
        faults[_SHOWN:] = [f"and {len(faults) - _SHOWN} more such files"]
    if faults:
        raise ConfigError(faults)


def _broken(examples: Examples) -> list[str]:
    """A sentence for each file that does not decode."""
    # the shape alone, or every image would be copied into Python
    shapes = examples.raw().map(lambda path: tf.shape(examples.decode(path)), parallelism())
    try:
        for _ in shapes.with_options(plain_options()):
            pass
    except tf.errors.OpError:
        found = ((path.decode(), _fault(path)) for path in examples.raw().as_numpy_iterator())
        return [
            f"{path} cannot be decoded; replace or remove it ({why})" for path, why in found if why
        ]
    return []


def _fault(path: bytes) -> str:
    try:
        _decode(path)
    except tf.errors.OpError as error:
        return str(error.message).split("}} ")[-1].split(" [Op:")[0]
    return ""


def _folders(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    return sorted(f for f in root.iterdir() if f.is_dir() and not f.name.startswith("."))


def _scan(root: Path) -> dict[str, list[Path]]:
    """Class name to its images."""
    files: dict[str, list[Path]] = {}
    faults = []
    for folder in _folders(root):
        seen = sorted(f for f in folder.iterdir() if f.is_file() and not f.name.startswith("."))
        files[folder.name] = [f for f in seen if f.suffix.lower() in READABLE]
        if not files[folder.name]:
            known = " ".join(sorted(READABLE))
            faults.append(f"{folder} holds no image ({known}); fill or remove it")
        unreadable = Counter(f.suffix.lower() for f in seen if f.suffix.lower() in _UNREADABLE)
        faults += [
            f"{folder} holds {n} {suffix} files, which TensorFlow cannot decode; convert them"
            for suffix, n in unreadable.items()
        ]
    if not files:
        faults.append(f"dataset.path: {root} holds no folders; it needs one a class")
    elif len(files) == 1:
        only = next(iter(files))
        faults.append(f"dataset.path: {root} holds one class only, '{only}'; two are needed")
    if faults:
        raise ConfigError(faults)
    return files


def _same_classes(root: Path, train: dict[str, list[Path]], test: dict[str, list[Path]]) -> None:
    faults = [
        f"{root / have} has a class '{name}' that {root / lack} lacks{nearest(name, there)}"
        for have, here, lack, there in (
            ("train", train, "test", test),
            ("test", test, "train", train),
        )
        for name in here
        if name not in there
    ]
    if faults:
        raise ConfigError(faults)


def _examples(files: dict[str, list[Path]]) -> Examples:
    paths = np.array([str(path) for found in files.values() for path in found])
    labels = np.repeat(np.arange(len(files)), [len(found) for found in files.values()])
    return Examples(
        labels=labels.astype(np.int64),
        indices=np.arange(len(paths)),
        read=lambda indices: tf.data.Dataset.from_tensor_slices(paths[indices]),
        decode=_decode,
        size=None,
    )


def _decode(path: tf.Tensor) -> tf.Tensor:
    return tf.io.decode_image(tf.io.read_file(path), channels=3, expand_animations=False)
