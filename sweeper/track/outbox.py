"""One journal on its way to MLflow: how far it got it, and the next entries.

How far is kept in a file beside the journal after each request, so that another process continues
there. A request whose answer was lost is sent again, and changes nothing: see
:class:`~sweeper.track.backend.mlflow_run.MlflowRun`.
"""

import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

from sweeper.addresses import redact
from sweeper.disk.locks import held
from sweeper.records import State
from sweeper.study_files.mlflow_paths import MlflowPaths
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.track.backend.mlflow_model import log_model
from sweeper.track.backend.mlflow_run import MlflowRun, end_others
from sweeper.track.backend.mlflow_store import Refused
from sweeper.track.backend.run_note import linked
from sweeper.track.delivered import Delivered, read_delivered, write_delivered
from sweeper.track.entry_groups import TOGETHER, next_group, write_together
from sweeper.track.journal import Entry, Journal, NewRun, data_of
from sweeper.track.store import Store

NO_RUN = "begins with no run; its folder is not as it was written"
"""What is wrong with a journal whose first entry was lost."""
MISSING = "sweeper.missing"
"""Tag of a run that lacks a file which was to be delivered."""

_LOOKS = 2
"""That a description waits for runs that it refers to: the first look has this journal alone."""


class Outbox:
    """Delivers the journal of ``paths``, one request after the other."""

    def __init__(self, paths: MlflowPaths) -> None:
        self.journal = Journal(paths)
        self._state = read_delivered(paths)
        self._run: MlflowRun | None = None
        self._put_off: dict[int, int] = {}

    @property
    def waits(self) -> bool:
        """Whether there may be entries that the store lacks; a look at the file's size."""
        return self.journal.size() > self._state.offset

    @property
    def at_rest(self) -> bool:
        """Whether its run was closed, and nothing waits."""
        return self._state.ended and not self.waits

    def outstanding(self) -> int:
        """How many entries the store lacks."""
        return self.journal.count(read_delivered(self.journal.paths).offset)

    def deliver(self, store: Store) -> Iterator[int]:
        """Send what waits; yields the number of entries after each request.

        Raises:
            InUse: another process delivers them.
            Refused: the store does, or the journal is damaged; what it took is kept as such.
            TrackerError: the store cannot be used; what it took is kept as such.
            OSError: the files of the run cannot be read or written.
        """
        with held(self.journal.paths.journal):
            self._load(store)
            entries = self.journal.entries(self._state.offset)
            while entries:
                group = next_group(entries)
                entries = entries[len(group) :]
                later = {entry.kind for entry in entries}
                if group[0].kind == "note" and "note" not in later and self._too_early(group[0]):
                    return
                self._send(store, group, later)
                self._save(replace(self._state, offset=group[-1].end))
                if group[0].kind == "model":  # as large as the one in the trial's folder
                    shutil.rmtree(self.journal.paths.model, ignore_errors=True)
                yield len(group)
            if damage := self.journal.damage(self._state.offset):
                raise Refused(damage)

    def _load(self, store: Store) -> None:
        """Read how far the store got, and see that it still has the run where it may have not."""
        self._state = read_delivered(self.journal.paths)
        uri, run_id = redact(store.uri), self._run and self._run.run_id
        if (self._state.uri, self._state.run_id) == (uri, run_id):
            return
        self._run = store.run(self._state.run_id) if self._state.run_id else None
        if self._state.run_id and self._run is None:  # it lost the run, or is another store
            self._state = Delivered(offset=self._state.start, start=self._state.start)
        self._state = replace(self._state, uri=uri)

    def _save(self, state: Delivered) -> None:
        self._state = state
        write_delivered(self.journal.paths, state)

    def _send(self, store: Store, group: Sequence[Entry], later: Collection[str]) -> None:
        """Send ``group``; ``later`` are the kinds of the entries after it."""
        entry = group[0]
        overwritten = "start" in later  # the folder holds the files of that run
        if entry.kind == "start":
            self._start(store, entry)
            return
        if self._run is None:
            raise Refused(f"{self.journal.paths.journal} {NO_RUN}")
        run, content = self._run, entry.content
        match entry.kind:
            case "data":
                run.log_data(data_of(group))
            case "file" | "model" if not overwritten:
                self._send_file(run, entry)
            case "note" if "note" not in later:
                experiment = run.look().info.experiment_id
                run.describe(linked(content["text"], experiment, self._run_id(entry))[0])
            case "end":
                run.end(State(content["state"]), content["reason"], content["cause"], entry.time)
                self._remove_doubles(store)
                self._state = replace(self._state, ended=True)
            case "end_others":
                parent = run.look().info
                end_others(
                    run.client,
                    parent.experiment_id,
                    parent.run_id,
                    content["ends"],
                )
            case kind if kind in TOGETHER:
                write_together(run, group)

    def _run_id(self, note: Entry) -> Callable[[str], str | None]:
        """Finds the runs that the text of ``note`` refers to."""

        def found(name: str) -> str | None:
            if not name:
                return self._state.run_id or None
            folder = self.journal.paths.folder.parent / note.content["runs"].get(name, name)
            known = read_delivered(TrialPaths(folder).mlflow)
            return (known.uri == self._state.uri and known.run_id) or None

        return found

    def _too_early(self, note: Entry) -> bool:
        """Whether ``note`` refers to runs that are to be opened yet, and was not put off too often.

        Journals of other runs are delivered after this one, so they are there at the next look.
        """
        unknown = linked(note.content["text"], "", self._run_id(note))[1]
        times = self._put_off.get(note.begin, 0)
        self._put_off[note.begin] = times + 1
        return bool(unknown) and times < _LOOKS

    def _send_file(self, run: MlflowRun, entry: Entry) -> None:
        """Send a file or a model; the run says where somebody removed it before that."""
        path = self.journal.paths.folder.parent / entry.content["path"]
        if not path.exists():
            run.write((), tags={MISSING: f"{path.name} was removed before MLflow got it"})
        elif entry.kind == "file":
            run.log_file(path, entry.content["folder"])
        else:
            log_model(run.client, run.run_id, path)

    def _start(self, store: Store, entry: Entry) -> None:
        """Open the run, or continue the one that is there."""
        new, unsure = NewRun(**entry.content), self._state.unsure
        known = store.find(new)
        if known:
            self._run = known[0]
            if self._run.look().info.status != "RUNNING":
                self._run.resume()
        else:
            # before the request: its answer may be lost with this process
            self._save(replace(self._state, unsure=True))
            self._run = store.create(new, entry.time)
        self._state = replace(
            self._state, start=entry.begin, run_id=self._run.run_id, unsure=unsure, ended=False
        )

    def _remove_doubles(self, store: Store) -> None:
        """Delete runs that a request opened whose answer was lost; they are empty."""
        if not self._state.unsure:
            return
        start, *_ = self.journal.entries(self._state.start)
        for other in store.find(NewRun(**start.content)):
            if other.run_id != self._state.run_id:
                other.delete()
        self._state = replace(self._state, unsure=False)
