"""All that MLflow is to get of a run, in a file of the run's folder: written whatever MLflow does.

Each line is an entry, in the order in which MLflow gets them; its number is where it begins, in
bytes. Time stamps are fixed here, so that an entry that is sent again changes nothing. A folder
may hold several runs, one after the other, each from an entry ``start`` on.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sweeper.records import DataUse, State
from sweeper.study_files.lines import append, count, read
from sweeper.study_files.mlflow_paths import MlflowPaths
from sweeper.track.backend.origin import origin_tags
from sweeper.track.tracker import of_fold


@dataclass(frozen=True)
class NewRun:
    """A run to be opened, or to be found again by its tags.

    Attributes:
        uri: the store, without credentials.
        experiment: name of the experiment.
        name: of the run.
        found_by: tags that no other run has.
        tags: further ones.
        note: its description in Markdown.
        parent: tags by which the run above it is found; none where there is none.
    """

    uri: str
    experiment: str
    name: str
    found_by: Mapping[str, str]
    tags: Mapping[str, str]
    note: str
    parent: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """One entry: its kind, what it says, when it was written, where it begins and ends in the file.

    ``time`` is in milliseconds since 1970.
    """

    kind: str
    content: Mapping[str, Any]
    time: int
    begin: int
    end: int


class Journal:
    """A :class:`~sweeper.track.tracker.Tracker` that appends to the journal at ``paths``.

    Methods raise OSError where the disk does not take an entry. Threads may share one.
    """

    def __init__(self, paths: MlflowPaths) -> None:
        self.paths = paths
        self.has_metrics = False
        """Whether some were recorded by this object."""

    def start(self, run: NewRun) -> None:
        """Open ``run``, or open it again; what follows is about it."""
        plain = asdict(run)
        self._add("start", **{**plain, "tags": {**origin_tags(), **run.tags}})

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Record ``params``, values of JSON as they are."""
        self._add("params", params=dict(params))

    def log_epoch(
        self, metrics: Mapping[str, float], step: int, phase: str, fold: int | None
    ) -> None:
        """Record the metrics of an epoch, those of a fold under its name."""
        self.log_metrics(of_fold(metrics, fold), step)

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Record all of ``metrics`` at ``step``."""
        if metrics:
            plain = {key: float(value) for key, value in metrics.items()}
            self._add("metrics", metrics=plain, step=step)
            self.has_metrics = True

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set or replace ``tags``."""
        if tags:
            self._add("tags", tags={key: str(value) for key, value in tags.items()})

    def log_data(self, data: Sequence[DataUse]) -> None:
        """Record the images that the run uses."""
        plain = [asdict(use) for use in data]
        for use, one in zip(data, plain, strict=True):
            one["place"] = str(use.place)
            one["is_path"] = isinstance(use.place, Path)
        self._add("data", data=plain)

    def describe(self, text: str, runs: Mapping[int, Path]) -> None:
        """Put ``text`` into the run's description, above what a person has added.

        Its links are those of :func:`~sweeper.track.backend.run_note.linked`: ``run:7`` is the run
        whose folder ``runs`` has under 7, ``run:`` this one.
        """
        folders = {str(number): self._relative(folder) for number, folder in runs.items()}
        self._add("note", text=text, runs=folders)

    def log_file(self, path: Path, folder: str) -> None:
        """Have ``path`` uploaded to ``folder``, as it is then."""
        self._add("file", path=self._relative(path), folder=folder)

    def log_model(self, path: Path) -> None:
        """Have the folder ``path``, in the form of an MLflow model, logged as ``model``."""
        self._add("model", path=self._relative(path))

    def end(self, state: State, reason: str = "", cause: str = "") -> None:
        """Close the run."""
        self._add("end", state=str(state), reason=reason, cause=cause)

    def end_others(self, ends: Mapping[int, tuple[State, str, str]]) -> None:
        """Close runs below this one whose journals are elsewhere, where they are open still.

        ``ends`` has state, reason and cause by the number of the trial.
        """
        self._add("end_others", ends={str(number): list(end) for number, end in ends.items()})

    def entries(self, offset: int = 0) -> list[Entry]:
        """The whole entries from ``offset`` on, as far as the file is not damaged."""
        found, begin = [], offset
        for value, end in read(self.paths.journal, offset):
            if not isinstance(value, dict) or not {"kind", "time"} <= value.keys():
                break
            kind, when = value.pop("kind"), value.pop("time")
            found.append(Entry(kind, value, when, begin, end))
            begin = end
        return found

    def count(self, offset: int) -> int:
        """How many entries there are from ``offset`` on, damaged ones included."""
        return count(self.paths.journal, offset)

    def damage(self, offset: int) -> str | None:
        """What is wrong with the entry that begins at ``offset``; None where it can be read."""
        # in this order: an entry may be appended meanwhile
        if not self.count(offset) or self.entries(offset):
            return None
        return (
            f"{self.paths.journal} is damaged at byte {offset}; remove that line, and what is "
            "behind it is delivered"
        )

    def size(self) -> int:
        """Bytes in the file, of which the last ones may be half an entry."""
        try:
            return self.paths.journal.stat().st_size
        except FileNotFoundError:
            return 0

    def _add(self, kind: str, **content: Any) -> None:
        append(self.paths.journal, {"kind": kind, "time": int(time.time() * 1000), **content})

    def _relative(self, path: Path) -> str:
        """``path`` as seen from the run's folder, which may be moved with all that is in it."""
        base = self.paths.folder.parent
        return str(path.relative_to(base) if path.is_relative_to(base) else path.absolute())


def last_run(entries: Sequence[Entry]) -> Sequence[Entry]:
    """The entries of the last run among ``entries``."""
    starts = [index for index, entry in enumerate(entries) if entry.kind == "start"]
    return entries[starts[-1] :] if starts else []


def data_of(entries: Sequence[Entry]) -> list[DataUse]:
    """The images that the run of ``entries`` uses."""
    found = []
    for entry in entries:
        for one in entry.content["data"] if entry.kind == "data" else ():
            use = dict(one)
            if use.pop("is_path"):
                use["place"] = Path(use["place"])
            found.append(DataUse(**use))
    return found


def last_metric(entries: Sequence[Entry], name: str) -> float | None:
    """The value that metric ``name`` was given last, None where it has none."""
    values = [
        entry.content["metrics"][name]
        for entry in entries
        if entry.kind == "metrics" and name in entry.content["metrics"]
    ]
    return float(values[-1]) if values else None
