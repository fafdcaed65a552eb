"""What lies in folders: class folders, the images in them, and all that is neither."""

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from sweeper.data.image_reading import formats
from sweeper.data.sources.listing import shortened
from sweeper.data.sources.naming import composed, printable

_OF_SYSTEMS = frozenset({"__MACOSX", "@eaDir"})
"""Folders that systems leave beside the data; they hold no images of it."""

_SUFFIXES = 5
"""Named where their files are left out."""

Classes = dict[str, list[str]]
"""Class name to its images."""


@dataclass
class Findings:
    """What was noticed on the way: faults, and files that are no images."""

    faults: list[str] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)

    def left_out(self) -> list[str]:
        """A sentence about files that are no images: how many of each suffix."""
        if not self.others:
            return []
        counts = Counter(one.suffix.lower() or "without a suffix" for one in self.others)
        words = [f"{n:,} {suffix}" for suffix, n in counts.most_common(_SUFFIXES)]
        words += [f"{len(counts) - _SUFFIXES} other suffixes"] if len(counts) > _SUFFIXES else []
        return [
            f"files that are no images are left out: {', '.join(words)}; the first is "
            f"{printable(self.others[0])}"
        ]


def contents(folder: Path, faults: list[str]) -> tuple[list[Path], list[Path]]:
    """Visible folders and files, sorted; what is neither, or cannot be read, is a fault."""
    folders, files, unreadable = [], [], []
    try:
        with os.scandir(folder) as found:
            entries = sorted((one for one in found if one.name[0] != "."), key=lambda e: e.name)
    except OSError as error:
        faults.append(f"{printable(folder)} cannot be read ({error.strerror}); fix or remove it")
        return [], []
    for entry in entries:
        try:
            if entry.is_dir():
                if entry.name not in _OF_SYSTEMS:
                    folders.append(folder / entry.name)
            elif entry.is_file():
                files.append(folder / entry.name)
            else:
                entry.stat()  # a link to nothing says so here
                name = printable(entry.path)
                unreadable.append(f"{name} is no file and no folder; remove it")
        except OSError as error:
            name = printable(entry.path)
            unreadable.append(f"{name} cannot be read ({error.strerror}); fix or remove it")
    faults += shortened(unreadable, f"of this kind in {printable(folder)}")
    return folders, files


def classes(root: Path, found: Findings) -> Classes:
    """The classes below ``root``, one a folder, in the order of their names."""
    before = len(found.faults)
    folders, _ = contents(root, found.faults)
    readable = len(found.faults) == before
    files: Classes = {}
    for folder in sorted(folders, key=lambda one: composed(one.name)):
        name = composed(folder.name)
        if printable(name) != name:
            found.faults.append(
                f"the name of the folder {printable(folder)} cannot be the name of a class, since "
                "it is not UTF-8 or has control characters; rename it"
            )
        elif name in files:
            found.faults.append(
                f"{root} has two folders '{name}', in different Unicode forms; join them"
            )
        files[name] = _images(folder, found)
    if not files and readable:
        found.faults.append(
            f"dataset.path: {printable(root)} holds no folders; it needs one a class"
        )
    elif len(files) == 1 and readable:
        only = folders[0]
        inner, _ = contents(only, [])
        advice = (
            f"; set dataset.path={printable(only)} if its folders are the classes" if inner else ""
        )
        found.faults.append(
            f"dataset.path: {printable(root)} holds one class only, '{printable(only.name)}'; "
            f"two are needed{advice}"
        )
    return files


_IMAGE, _OTHER = "image", "other"


def _kind(file: Path) -> str:
    """:data:`_IMAGE`, :data:`_OTHER`, or what kind of image it is that cannot be decoded here."""
    suffix = file.suffix.lower()
    if suffix in formats.READABLE:
        return _IMAGE
    if suffix in formats.UNREADABLE:
        return suffix
    kind = formats.kind_of_file(file)
    if kind == "heif" or (kind is None and suffix in formats.HEIF):
        return _IMAGE if formats.reads_heif() else "HEIC"
    return _OTHER if kind is None else _IMAGE


def _images(folder: Path, found: Findings) -> list[str]:
    before = len(found.faults)
    folders, files = contents(folder, found.faults)
    name = printable(folder)
    if folders:
        found.faults.append(
            f"{name} holds the folder '{printable(folders[0].name)}'; move its images up, or "
            "remove it"
        )
    kinds = [(file, _kind(file)) for file in files]
    images = [str(file) for file, kind in kinds if kind == _IMAGE]
    others = [file for file, kind in kinds if kind == _OTHER]
    undecodable = Counter(kind for _, kind in kinds if kind not in (_IMAGE, _OTHER))
    found.faults += [
        f"{name} holds {n:,} HEIC files; {formats.INSTALL_HEIF} them"
        if suffix == "HEIC"
        else f"{name} holds {n:,} {suffix} files, which cannot be decoded; convert or remove them"
        for suffix, n in undecodable.items()
    ]
    if not images and len(found.faults) == before:  # else the reason is reported already
        there = f", but {len(others):,} files that are none" if others else ""
        known = " ".join(sorted(formats.READABLE))
        found.faults.append(f"{name} holds no image ({known}){there}; fill or remove it")
    found.others += others
    return images
