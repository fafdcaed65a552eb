"""Every path this package reads or writes, and the one way it writes a file."""

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

PACKAGE = Path(__file__).resolve().parent

_UNSAFE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff/\\:*?\"<>|%#${}`]+")
"""What parts a path, is not taken by all file systems, or means something in addresses."""
_LONGEST_NAME = 150
"""Bytes; file systems take 255, and some files have a name made of another one's."""
_EFFECTIVE = os.access in os.supports_effective_ids
"""Whether the system can be asked what this process may, not the user who started it."""


def conf_dir() -> Path:
    """Folder of the shipped recipes: inside the wheel, or beside the package in a checkout."""
    shipped = PACKAGE / "conf"
    return shipped if shipped.is_dir() else PACKAGE.parent / "conf"


def file_name(text: str) -> str:
    """``text`` as the name of one file or folder, which lies where it is put.

    Another text has another name. One that is a good name stays as it is.

    >>> file_name("dogs"), file_name("/Users/me/dogs")
    ('dogs', 'Users-me-dogs-ef8294aa')
    """
    plain = _UNSAFE.sub("-", text)
    if plain == text and text.strip(". ") and len(text.encode()) <= _LONGEST_NAME:
        return text
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]
    shown = plain.encode(errors="ignore")[: _LONGEST_NAME - 9].decode(errors="ignore").strip("-. ")
    return "-".join(filter(None, (shown, digest)))


@contextlib.contextmanager
def made_folders(folder: Path) -> Iterator[None]:
    """Make ``folder`` for the block; after it, what was made and is empty goes again."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        _remove_empty(made)


def cache_dir() -> Path:
    """Folder of what is found once and costs time only when it is lost."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # the specification of that variable has relative paths ignored
    return (base if base.is_absolute() else Path.home() / ".cache") / "sweeper"


def scan_file(fingerprint: str) -> Path:
    """What a scan found of the images that ``fingerprint`` stands for."""
    return cache_dir() / "scans" / f"{fingerprint}.json"


def crash_log(folder: Path | None = None) -> Path:
    """A file for the traceback of this process, in the cache unless in ``folder``."""
    name = f"{time.strftime('%Y-%m-%d_%H-%M-%S')}-{os.getpid()}.log"
    return (folder or cache_dir() / "logs") / f"sweeper-{name}"


def entries_dir() -> Path:
    """Folder of the cache that all trials of the machine share."""
    return cache_dir() / "entries"


def xla_dir() -> Path:
    """Folder of what XLA compiled, shared by all trials of the machine."""
    return cache_dir() / "xla"


def write_aside(path: Path, content: str | bytes) -> None:
    """Write ``content`` beside ``path``, then rename, so that nobody ever reads half a file."""
    with open_aside(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextlib.contextmanager
def open_aside(path: Path) -> Iterator[BinaryIO]:
    """A file to write in, which becomes ``path`` when the block ends; what is too much to hold."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(aside).chmod(0o644)
        Path(aside).replace(path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def undone_on(refusals: tuple[type[Exception], ...], folder: Path) -> Iterator[None]:
    """Remove ``folder``, if it is new, and folders made for it where one of these is raised."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        yield
    except refusals:
        if folder in new:
            shutil.rmtree(folder, ignore_errors=True)
        _remove_empty(new)
        raise


def _remove_empty(folders: Iterable[Path]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):  # something lies in it, or it was never made
            folder.rmdir()


def shown_path(path: Path) -> Path:
    """``path`` as a person in this folder would type it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def unwritable(folder: Path) -> str | None:
    """Why nothing can be written to ``folder``, which need not exist; None where it can.

    A study and its tracker keep paths as text, so a name that is none is refused.
    """
    absolute = folder.absolute()
    for path in reversed((absolute, *absolute.parents)):
        name = os.fsencode(path)
        shown = name.decode("utf-8", "backslashreplace")
        if shown.encode() != name:
            return f"the name of {shown} is not UTF-8; rename it, or work in another folder"
    for path in (absolute, *absolute.parents):
        if path.is_dir():
            allowed = os.access(path, os.W_OK | os.X_OK, effective_ids=_EFFECTIVE)
            return None if allowed else f"{path} cannot be written; make it writable"
        if os.path.lexists(path):
            return f"{path} is no folder; rename or remove it"
    return None


PAGE_MARK = "<!-- Written by sweeper"
"""How a page about a study begins: no file that begins otherwise is overwritten."""


@dataclass(frozen=True)
class StudyPaths:
    """Files of one study, under ``experiments/<study>/``."""

    folder: Path

    @property
    def results(self) -> Path:
        return self.folder / "optimization_results.yaml"

    @property
    def leaderboard(self) -> Path:
        return self.folder / "leaderboard.csv"

    @property
    def best_recipe(self) -> Path:
        return self.folder / "best.yaml"

    @property
    def winner(self) -> Path:
        return self.folder / "winner.yaml"

    @property
    def page(self) -> Path:
        """What explains the folder: README.md, or STUDY.md beside one that somebody else wrote."""
        readme = self.folder / "README.md"
        try:
            ours = readme.read_text(encoding="utf-8", errors="replace").startswith(PAGE_MARK)
        except FileNotFoundError:
            ours = True
        return readme if ours else self.folder / "STUDY.md"

    @property
    def master(self) -> Path:
        return self.folder / "multirun.yaml"

    @property
    def about(self) -> Path:
        """What the study is: name, id, objectives."""
        return self.folder / "study.json"

    @property
    def mlflow(self) -> "MlflowPaths":
        return MlflowPaths(self.folder / "mlflow")

    @property
    def trials(self) -> list[Path]:
        """Folders of the trials, in the order of their names."""
        return sorted(path for path in (self.folder / "trials").glob("*") if path.is_dir())

    @property
    def server_log(self) -> Path:
        return self.folder / "logs" / "server.log"

    @property
    def prepare_log(self) -> Path:
        return self.folder / "logs" / "prepare.log"

    @property
    def winner_log(self) -> Path:
        return self.folder / "logs" / "winner.log"

    def archive(self, name: str) -> Path:
        """Where the folders of a study go that is put aside as ``name``."""
        return self.folder / "archive" / name

    @property
    def written_by_a_study(self) -> tuple[str, ...]:
        """Files that tell of one study, beside the folders of its trials."""
        files = (
            self.results,
            self.leaderboard,
            self.best_recipe,
            self.winner,
            self.page,
            self.master,
            self.about,
            self.mlflow.folder,
        )
        return (*(file.name for file in files), "logs")


@dataclass(frozen=True)
class MlflowPaths:
    """What MLflow is to get of one run, and how far it got it: ``mlflow/`` in the run's folder."""

    folder: Path

    @property
    def journal(self) -> Path:
        return self.folder / "journal.jsonl"

    @property
    def delivered(self) -> Path:
        return self.folder / "delivered.json"

    @property
    def model(self) -> Path:
        """The model as MLflow keeps models, until it is delivered."""
        return self.folder / "model"

    @staticmethod
    def below(folder: Path) -> "list[MlflowPaths]":
        """All that there are below ``folder``, those of a study before those of its trials."""
        found = [path.parent for path in folder.rglob("mlflow/journal.jsonl")]
        return [MlflowPaths(one) for one in sorted(found, key=lambda one: (len(one.parts), one))]


@dataclass(frozen=True)
class TrialPaths:
    """Files of one trial, under ``experiments/<study>/trials/<number>/``."""

    folder: Path

    @property
    def log(self) -> Path:
        return self.folder / "logs" / "trial.log"

    @property
    def plots(self) -> Path:
        return self.folder / "plots"

    @property
    def confusion_matrix(self) -> Path:
        return self.plots / "confusion_matrix.png"

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def overrides(self) -> Path:
        return self.folder / ".hydra" / "overrides.yaml"

    @property
    def hydra(self) -> Path:
        return self.folder / ".hydra" / "hydra.yaml"

    @property
    def model(self) -> Path:
        """The whole model, of the best trials alone."""
        return self.folder / "model.keras"

    @property
    def about(self) -> Path:
        """What the trial of a study is: its number and parameters, written when it starts."""
        return self.folder / "trial.json"

    @property
    def metrics(self) -> Path:
        """A line of JSON for each epoch."""
        return self.folder / "metrics.jsonl"

    @property
    def result(self) -> Path:
        """How the trial ended, and its final metrics; not there before."""
        return self.folder / "result.json"

    @property
    def predictions(self) -> Path:
        """Probabilities and logits of the validation images."""
        return self.folder / "predictions.npz"

    @property
    def mlflow(self) -> MlflowPaths:
        return MlflowPaths(self.folder / "mlflow")

    @property
    def learned(self) -> Path:
        """What the trial learned, which the model can be made of."""
        return self.folder / "learned.npz"

    def trained_weights_by_fold(self, fold: int) -> Path:
        """That of one fold, until it is known which fold's is kept."""
        return self.folder / f"learned.fold{fold}.npz"

    def remove_results(self) -> None:
        """Remove what an earlier run in this folder produced.

        Logs and checkpoints stay, and the journal of what MLflow is to get of that run.
        """
        results = (
            *(self.model, self.metrics, self.result, self.predictions),
            *self.folder.glob("learned*.npz"),
            *self.plots.glob("*.png"),
        )
        for path in results:
            path.unlink(missing_ok=True)

    def checkpoint(self, fold: int | None) -> Path:
        """Where an interrupted fine-tune stands; None for a trial without folds."""
        name = "trial" if fold is None else f"fold{fold}"
        return self.folder / "checkpoints" / f"{name}.npz"

    @property
    def checkpoints(self) -> list[Path]:
        """Those that there are."""
        return sorted((self.folder / "checkpoints").glob("*.npz"))

    def take_checkpoints(self, other: "TrialPaths") -> None:
        """Take over those of another trial, which had the same recipe; they are its no more."""
        for checkpoint in other.checkpoints:
            own = self.folder / "checkpoints" / checkpoint.name
            own.parent.mkdir(parents=True, exist_ok=True)
            checkpoint.replace(own)


def unwritable_file(file: Path) -> str | None:
    """Why nothing can be written to ``file``, which need not exist; None where it can."""
    if file.exists() and not os.access(file, os.W_OK, effective_ids=_EFFECTIVE):
        return f"{file.absolute()} cannot be written; make it writable"
    return unwritable(file.parent)
