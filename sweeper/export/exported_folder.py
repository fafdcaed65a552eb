"""A folder of exported files: all of one model, with a record of which they are."""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from sweeper.disk.files import write_aside
from sweeper.errors import SweeperError
from sweeper.export.feeding_page import LABELS, PAGE, write_page
from sweeper.export.file_check import Checked
from sweeper.export.file_formats import FORMATS
from sweeper.saved.card import Card

RECORD = "export.json"


@dataclass(frozen=True)
class _Record:
    """Of which model, by the hash of its file, the files of these formats are."""

    model: str = ""
    formats: dict[str, Checked] = field(default_factory=dict)


_JSON = TypeAdapter(_Record)


class ExportedFolder:
    """Where the files of one model go.

    Labels and page describe one model, so files of another one do not stay beside them: they are
    removed when the first file of this one is added. Files that no export wrote are not replaced.

    Args:
        path: made when the first file is added.
        network: the ``.keras`` file of the model that is to be exported.
        formats: names of :data:`FORMATS` that are to be written.

    Attributes:
        path: as given.
        of_another: names of the files here that are of another model.

    Raises:
        SweeperError: a file that would be replaced was not written by an export, or the folder's
            record of its files cannot be read.
    """

    def __init__(self, path: Path, network: Path, formats: Sequence[str]) -> None:
        self.path = path
        self._record = path / RECORD
        with network.open("rb") as file:
            self._model = hashlib.file_digest(file, "sha256").hexdigest()
        earlier = self._read()
        known = {name for name in earlier.formats if name in FORMATS and self.file(name).exists()}
        self._found: dict[str, Checked] = {}
        self.of_another: list[str] = []
        if earlier.model == self._model:
            self._found = {name: earlier.formats[name] for name in FORMATS if name in known}
        else:
            self.of_another = [FORMATS[name].file for name in FORMATS if name in known]
        self._refuse_unknown([FORMATS[name].file for name in formats if name not in known])

    def file(self, name: str) -> Path:
        """Where the file of the format ``name`` lies."""
        return self.path / FORMATS[name].file

    def add(self, name: str, aside: Path, checked: Checked, title: str, card: Card) -> None:
        """Make ``aside`` the file of the format ``name``, and write record and page anew.

        Args:
            name: of the format.
            aside: a file or a folder in this folder.
            checked: what it gives.
            title: what a person calls the model.
            card: of the model.
        """
        for other in self.of_another:
            remove(self.path / other)
        self.of_another = []
        found = self._found | {name: checked}
        self._found = {one: found[one] for one in FORMATS if one in found}
        # first, so that a file is never here without being known to be an export's
        text = _JSON.dump_json(_Record(self._model, self._found), indent=2)
        write_aside(self._record, text + b"\n")
        if self.file(name).is_dir():
            remove(self.file(name))
        aside.replace(self.file(name))
        write_page(self.path, title, card, self._found)

    def _read(self) -> _Record:
        if not self._record.exists():
            return _Record()
        try:
            return _JSON.validate_json(self._record.read_bytes())
        except (OSError, ValidationError) as error:
            raise SweeperError(
                f"{self._record} is no record of an export: name another folder with --out, or "
                f"remove this one ({error})"
            ) from error

    def _refuse_unknown(self, files: Sequence[str]) -> None:
        pages = [] if self._record.exists() else [PAGE, LABELS]
        unknown = [name for name in (*files, *pages) if (self.path / name).exists()]
        if unknown:
            raise SweeperError(
                f"{self.path} has {', '.join(unknown)}, which no export wrote, so nothing there is "
                "replaced: name another folder with --out"
            )


def remove(path: Path) -> None:
    """Remove the file or the folder at ``path``, if there is one."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
