"""Images in one folder a class: ``train/<class>/`` and ``test/<class>/``, or ``<class>/`` alone."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from sweeper.config import Folder
from sweeper.data.listing import (
    SPLITS,
    VALIDATION,
    Listing,
    Part,
    image_files,
    shortened,
    unequal_classes,
    why_not,
)
from sweeper.errors import ConfigError, MissingInput

READABLE = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".jxl", ".png", ".webp"})
"""What ``tf.io.decode_image`` decodes (TensorFlow 2.21)."""

_UNREADABLE = frozenset({".avif", ".heic", ".jp2", ".tif", ".tiff"})
"""Images that TensorFlow cannot decode; leaving them out in silence would shrink the data set."""


def listing(dataset: Folder) -> Listing:
    """List the files; folders and files are taken in sorted order, hidden ones not at all.

    Raises:
        MissingInput: ``dataset.path`` is not a folder.
        ConfigError: it holds no two classes, a class without images, images that TensorFlow cannot
            decode, folders within classes, what cannot be read, or other classes in ``train/``
            than in ``test/``.
    """
    root = dataset.path.expanduser().absolute()
    fault = why_not("folder", root)
    if fault:
        raise MissingInput(
            f"dataset.path: {fault}; set dataset.path=<folder that holds one folder of images a "
            "class>, or dataset=csv for a table of images"
        )
    faults: list[str] = []
    above, _ = _contents(root, faults)
    splits = [one for one in above if one.name in SPLITS and _contents(one, faults)[0]]
    named = {one.name for one in splits}
    if {"train", "test"} <= named:
        trained = [one for one in splits if one.name != "test"]
        files = {
            str(root / "train"): _join([_classes(one, faults) for one in trained]),
            str(root / "test"): _classes(root / "test", faults),
        }
        faults += [
            f"{one} is neither train nor test; move its classes there, or remove it"
            for one in above
            if one not in splits
        ]
        faults += unequal_classes(list(files.items()))
    elif splits and {one.name for one in above} <= SPLITS:
        files, lacks = {}, "test" if "train" in named else "train"
        faults.append(
            f"dataset.path {root} has class folders in {', '.join(sorted(named))} but not in "
            f"{lacks}; add {root / lacks}, or set dataset.path={splits[-1]} to draw test from it"
        )
    else:
        files = {str(root): _classes(root, faults)}
    if faults:
        raise ConfigError(shortened(list(dict.fromkeys(faults)), "faults"))
    notes = [
        f"{one} counts as train; validation images are drawn from both"
        for one in splits
        if one.name in VALIDATION and len(files) == 2
    ]
    names = tuple(next(iter(files.values())))
    parts = tuple(_part(where, root, found) for where, found in files.items())
    return Listing(names, parts, tuple(notes))


def _contents(folder: Path, faults: list[str]) -> tuple[list[Path], list[Path]]:
    """Visible folders and files, sorted; what is neither, or cannot be read, is a fault."""
    folders, files, unreadable = [], [], []
    try:
        with os.scandir(folder) as found:
            entries = sorted((one for one in found if one.name[0] != "."), key=lambda e: e.name)
    except OSError as error:
        faults.append(f"{folder} cannot be read ({error.strerror}); mend or remove it")
        return [], []
    for entry in entries:
        try:
            if entry.is_dir():
                folders.append(folder / entry.name)
            elif entry.is_file():
                files.append(folder / entry.name)
            else:
                entry.stat()  # a link to nothing says so here
                unreadable.append(f"{folder / entry.name} is no file and no folder; remove it")
        except OSError as error:
            unreadable.append(
                f"{folder / entry.name} cannot be read ({error.strerror}); mend or remove it"
            )
    faults += shortened(unreadable, f"of this kind in {folder}")
    return folders, files


def _classes(root: Path, faults: list[str]) -> dict[str, list[str]]:
    """Class name to its images."""
    before = len(faults)
    folders, _ = _contents(root, faults)
    readable = len(faults) == before
    files = {folder.name: _images(folder, faults) for folder in folders}
    if not files and readable:
        faults.append(f"dataset.path: {root} holds no folders; it needs one a class")
    elif len(files) == 1 and readable:
        only = next(iter(files))
        faults.append(f"dataset.path: {root} holds one class only, '{only}'; two are needed")
    return files


def _images(folder: Path, faults: list[str]) -> list[str]:
    before = len(faults)
    folders, files = _contents(folder, faults)
    images = [str(file) for file in files if file.suffix.lower() in READABLE]
    if folders:
        faults.append(
            f"{folder} holds the folder '{folders[0].name}'; move its images up, or remove it"
        )
    unreadable = Counter(f.suffix.lower() for f in files if f.suffix.lower() in _UNREADABLE)
    faults += [
        f"{folder} holds {n} {suffix} files, which TensorFlow cannot decode; convert them"
        for suffix, n in unreadable.items()
    ]
    if not images and len(faults) == before:  # else the reason is told already
        known = " ".join(sorted(READABLE))
        faults.append(f"{folder} holds no image ({known}); fill or remove it")
    return images


def _join(parts: Sequence[Mapping[str, Sequence[str]]]) -> dict[str, list[str]]:
    names = sorted({name for part in parts for name in part})
    return {name: [path for part in parts for path in part.get(name, [])] for name in names}


def _part(where: str, root: Path, files: Mapping[str, Sequence[str]]) -> Part:
    paths = [path for found in files.values() for path in found]
    labels = [label for label, found in enumerate(files.values()) for _ in found]
    return image_files(where, root, paths, labels, tuple(files))
