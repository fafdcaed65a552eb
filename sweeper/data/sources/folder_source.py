"""Images in one folder a class: ``train/<class>/`` and ``test/<class>/``, or ``<class>/`` alone."""

from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

import numpy as np

from sweeper.config import Folder
from sweeper.data.image_reading.formats import HEIF, READABLE
from sweeper.data.sources.data_presence import absent
from sweeper.data.sources.image_folders import Classes, Findings, classes, contents
from sweeper.data.sources.listing import (
    Listing,
    Part,
    image_files,
    shortened,
    unequal_classes,
)
from sweeper.data.sources.naming import Role, StoredNames, printable, role_of
from sweeper.data.stratified import Indices
from sweeper.errors import ConfigError, MissingInput


def listing(dataset: Folder) -> Listing:
    """List the files; folders and files are taken in sorted order, hidden ones not at all.

    Raises:
        MissingInput: ``dataset.path`` is not a folder.
        ConfigError: it holds no two classes, a class without images, images that nothing here
            decodes, folders within classes, what cannot be read, or other classes in ``train/``
            than in ``test/``.
    """
    if lacks := absent(dataset):
        raise MissingInput(lacks)
    root = _root(dataset)
    found = Findings()
    roles, notes = _roles(root, found)
    files = {role: classes(folder, found) for role, folder in roles.items()}
    names = sorted({name for role in ("train", "validation") for name in files.get(role, {})})
    where = {role: str(folder) for role, folder in roles.items()}
    if "test" in files:
        parts = [(where["train"], names), (where["test"], list(files["test"]))]
        found.faults += unequal_classes(parts)
    if found.faults:
        raise ConfigError(shortened(list(dict.fromkeys(found.faults)), "faults"))
    return _listing(dataset, root, where, files, tuple(names), [*notes, *found.left_out()])


def has_validation(dataset: Folder) -> bool:
    """Whether there is a folder of images to validate by; false where the data cannot be read."""
    return "validation" in _roles(_root(dataset), Findings())[0]


def _root(dataset: Folder) -> Path:
    return StoredNames().find(dataset.path.expanduser().absolute())


def _roles(root: Path, found: Findings) -> tuple[dict[Role, Path], list[str]]:
    """The folders that hold classes, by what their images are for; ``root`` where it does itself.

    And what the person should know of the layout.
    """
    above, beside = contents(root, found.faults)
    named = {folder: role for folder in above if (role := role_of(folder.name)) is not None}
    # a class may be called train: it is one where it holds images, not folders
    deep = {folder: role for folder, role in named.items() if contents(folder, [])[0]}
    roles = {role: folder for folder, role in deep.items()}
    others = [folder for folder in above if folder not in named]
    if above and len(named) == len(above) and not roles:
        found.faults.append(
            f"{printable(root)} holds {', '.join(one.name for one in above)} without class "
            "folders, so classes are not known; make one folder a class in each, or set "
            "dataset=csv for a table of images"
        )
        return {}, []
    if not roles or (others and not ("train" in roles and len(roles) > 1)):
        return {"train": root}, _loose(beside, root)
    found.faults += _role_faults(root, deep, others)
    if "train" not in roles:
        roles = {"train": next(iter(roles.values()))}
    flat = [folder for folder in named if folder not in deep]
    return roles, [*_loose(beside, root), *(_unlabelled(folder) for folder in flat)]


def _role_faults(root: Path, deep: Mapping[Path, Role], others: list[Path]) -> Iterator[str]:
    """What is wrong with folders ``deep`` for train, test and validation, and ``others`` beside."""
    roles = {role: folder for folder, role in deep.items()}
    for folder, role in deep.items():
        if roles[role] != folder:
            yield f"{folder} and {roles[role]} are both taken for {role}; join them, or remove one"
    for one in others:
        yield (
            f"{printable(one)} is neither train nor test nor validation; move its classes there, "
            "or remove it"
        )
    if "train" not in roles:
        yield (
            f"dataset.path {root} has class folders in {', '.join(one.name for one in deep)} but "
            f"not in train; add {root / 'train'}, or set dataset.path={next(iter(roles.values()))} "
            "to train on a part of that"
        )


def _loose(files: list[Path], root: Path) -> list[str]:
    """A sentence about images that lie beside the folders, in no class."""
    images = [one for one in files if one.suffix.lower() in READABLE | HEIF]
    if not images:
        return []
    return [
        f"warning: {len(images):,} images of {printable(root)} lie in no class folder and are left "
        f"out; the first is {printable(images[0].name)}"
    ]


def _unlabelled(folder: Path) -> str:
    _, files = contents(folder, [])
    return (
        f"warning: {printable(folder)} is left out: it holds {len(files):,} files and no folders, "
        "so the classes of its images are not known"
    )


def _listing(
    dataset: Folder,
    root: Path,
    where: Mapping[Role, str],
    files: Mapping[Role, Classes],
    names: tuple[str, ...],
    notes: list[str],
) -> Listing:
    """The parts; images that validate stand behind those that train, class by class."""

    def part(role: Role, *more: Role) -> tuple[Part, Indices]:
        groups = [
            (files.get(of, {}).get(name, []), label, of)
            for label, name in enumerate(names)
            for of in (role, *more)
        ]
        counts = [len(paths) for paths, _, _ in groups]
        labels = np.repeat(np.array([label for _, label, _ in groups], np.int64), counts)
        paths = chain.from_iterable(paths for paths, _, _ in groups)
        validates = np.repeat([of == "validation" for _, _, of in groups], counts)
        made = image_files(where[role], root, paths, labels, names, dataset.max_pixels)
        return made, np.flatnonzero(validates)

    train, validation = part("train", "validation")
    parts = [train, part("test")[0]] if "test" in files else [train]
    return Listing(names, tuple(parts), validation, tuple(notes))
