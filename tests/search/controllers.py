"""Controllers of ``mortal_app.py`` in processes of their own, and what must hold of their study."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import optuna
from optuna.trial import FrozenTrial, TrialState
from patience import PATIENCE

from sweeper.search.attributes import FOLDER, RETRY_OF

APP = Path(__file__).with_name("mortal_app.py")


@contextmanager
def controller(
    folder: Path,
    *arguments: str,
    dies_at_commit: int | None = None,
    endless: bool = False,
    stderr: int | IO[str] = subprocess.STDOUT,
) -> Iterator["subprocess.Popen[str]"]:
    """A running controller, what it writes in one pipe; killed when the block ends."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    if dies_at_commit is not None:
        environment["DIES_AT_COMMIT"] = str(dies_at_commit)
    if endless:
        environment["ENDLESS"] = "1"
    with subprocess.Popen(
        [sys.executable, str(APP), "-m", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        # as in a terminal, where Ctrl-C reaches all that a command has started
        start_new_session=True,
        preexec_fn=as_in_a_terminal,  # noqa: PLW1509 - no other thread runs here
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def as_in_a_terminal() -> None:
    """Called in a child: scripts ignore Ctrl-C in the background, ``nohup`` a closed terminal."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def sweep(folder: Path, *arguments: str, dies_at_commit: int | None = None) -> tuple[int, str]:
    """Run a controller to its end; returns its exit code, and what it wrote."""
    with controller(folder, *arguments, dies_at_commit=dies_at_commit) as process:
        printed, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, printed


def await_line(process: "subprocess.Popen[str]", *wanted: str) -> str:
    """Read until a line holds one of ``wanted``; returns what was read."""
    assert process.stdout is not None
    read = ""
    for line in process.stdout:
        read += line
        if any(words in line for words in wanted):
            return read
    raise AssertionError(f"it ended with {process.wait()} and never printed {wanted}:\n{read}")


def press(process: "subprocess.Popen[str]", number: int) -> None:
    """Send a signal to the controller and to all that it started in its terminal."""
    os.killpg(process.pid, number)


def load(folder: Path, name: str = "mortal", url: str | None = None) -> optuna.Study:
    return optuna.load_study(study_name=name, storage=url or f"sqlite:///{folder}/studies.db")


def await_workers_end(folder: Path, seconds: float = PATIENCE) -> None:
    """Wait for the end of every process that ran a trial."""
    for entry in (folder / "pids").iterdir():
        with contextlib.suppress(ProcessLookupError):
            ended = os.pidfd_open(int(entry.name.split("-")[1]))
            try:
                assert select.select([ended], [], [], seconds)[0], f"trial {entry.name} lives"
            finally:
                os.close(ended)


def check_finished(folder: Path, trials: list[FrozenTrial], n_trials: int) -> None:
    """All that must hold of a study whose controllers died, once it has come to its end."""
    by_state = Counter(trial.state for trial in trials)
    assert by_state[TrialState.COMPLETE] == n_trials, by_state
    assert by_state.keys() <= {TrialState.COMPLETE, TrialState.FAIL}, by_state
    assert [trial.number for trial in trials] == list(range(len(trials)))
    for trial in trials:
        folders = folder / "out" / str(trial.number)
        # what failed was interrupted, and has no reason of its own
        assert (trial.state is TrialState.FAIL) != (trial.state is TrialState.COMPLETE)
        assert "reason" not in trial.user_attrs, trial.user_attrs
        if trial.state is TrialState.COMPLETE:
            seen = json.loads((folders / "seen.json").read_text())
            assert seen["number"] == trial.number
            assert seen["x"] == trial.params["x"] == trial.value
    successors = {
        trial.user_attrs[RETRY_OF]: trial for trial in trials if RETRY_OF in trial.user_attrs
    }
    assert len(successors) == sum(RETRY_OF in trial.user_attrs for trial in trials)
    for trial in trials:
        again = trial
        while again.state is TrialState.FAIL:
            again = successors[again.number]
        # one that was interrupted while it was asked for is asked for again
        assert FOLDER not in trial.user_attrs or trial.params == again.params
    assert len({trial.params["x"] for trial in trials if trial.state is TrialState.COMPLETE}) == (
        n_trials
    )
    await_workers_end(folder)


def at(url: str, name: str) -> tuple[str, str]:
    """Words for a study that is kept at ``url``."""
    return f"hydra.sweeper.storage={url}", f"hydra.sweeper.study_name={name}"


def trials_of(url: str, name: str) -> list[FrozenTrial]:
    """The trials of a study that is kept at ``url``."""
    storage = optuna.storages.RDBStorage(url)
    try:
        return optuna.load_study(study_name=name, storage=storage).trials
    finally:
        storage.engine.dispose()
