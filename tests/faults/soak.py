"""Kill trials, controllers and fork servers at random moments, for hours; then check the studies.

Studies of 40 short trials follow one another, in turn on SQLite with one controller and on
PostgreSQL with two, until there were ``SWEEPER_SOAK_KILLS`` (1,000) kills or
``SWEEPER_SOAK_SECONDS`` (two hours) are over. A controller that was killed is begun again by the
same command. ``SWEEPER_SOAK_SEED`` repeats the order of victims and moments. What was seen is
written into docs/reliability.md.
"""

import os
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from itertools import count
from pathlib import Path

import psutil
from faults.reliability import PAGE, SOAK, measured_on, with_section
from faults.soak_app import result
from faults.sweeps import Sweep, fork_server, trial_processes
from optuna.trial import FrozenTrial, TrialState
from search.controllers import at, await_workers_end, trials_of
from servers import postgres

from sweeper.records import Cause
from sweeper.search.attributes import CAUSE

APP = Path(__file__).with_name("soak_app.py")
KILLS = int(os.environ.get("SWEEPER_SOAK_KILLS", "1000"))
SECONDS = float(os.environ.get("SWEEPER_SOAK_SECONDS", "7200"))
SEED = int(os.environ.get("SWEEPER_SOAK_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
TRIALS = 40
VICTIMS = ("trial",) * 8 + ("controller", "fork server")
PAUSE = 3.0
"""Seconds between two kills at most: longer than a trial takes, or none would ever end."""
WHILE_IT_BEGINS = 0.25
"""Share of the kills that may come before the controller's first trial."""
NAMES = {1: "SQLite, one controller", 2: "PostgreSQL, two controllers"}


class Soak:
    """Studies whose processes are killed, until the kills or the seconds are used up."""

    def __init__(self) -> None:
        self._moments = random.Random(SEED)
        self._end = time.monotonic() + SECONDS
        self.seen = {controllers: Counter[str]() for controllers in NAMES}
        """By number of controllers what was counted."""

    @property
    def is_over(self) -> bool:
        kills = sum(counted["kills"] for counted in self.seen.values())
        return kills >= KILLS or time.monotonic() > self._end

    def run_study(self, folder: Path, url: str, controllers: int) -> None:
        """Run a study in the empty ``folder`` to its end, and check it.

        Raises:
            AssertionError: something does not hold.
        """
        words = (*at(url, "soak"), f"hydra.sweeper.n_trials={TRIALS}")
        command = [sys.executable, str(APP), "-m", *words]
        began, counted = time.monotonic(), self.seen[controllers]
        running = [Sweep(command, folder) for _ in range(controllers)]
        try:
            while living := [one for one in running if one.process.poll() != 0]:
                for dead in [one for one in living if one.process.poll() is not None]:
                    assert dead.end() < 0, dead.printed
                    running[running.index(dead)] = Sweep(command, folder)
                    living = []
                if living and self.is_over:
                    living[0].process.wait()
                elif living:
                    self._kill(self._moments.choice(living), counted)
            trials = trials_of(url, "soak")
            check(folder, trials)
        finally:
            for sweep in running:
                sweep.kill()
        counted["studies"] += 1
        counted["finished"] += sum(trial.state is TrialState.COMPLETE for trial in trials)
        counted["again"] += sum(trial.state is TrialState.FAIL for trial in trials)
        counted["seconds"] += round(time.monotonic() - began)

    def _kill(self, sweep: Sweep, counted: Counter[str]) -> None:
        victim = self._moments.choice(VICTIMS)
        if self._moments.random() > WHILE_IT_BEGINS:
            with suppress(AssertionError):  # it may end before
                sweep.await_line(" started: ", "best trial ")
        time.sleep(self._moments.uniform(0, PAUSE))
        process: psutil.Process | None = None
        # there may be none at this moment
        with suppress(psutil.NoSuchProcess, ValueError):
            if victim == "controller":
                process = psutil.Process(sweep.process.pid)
            elif victim == "fork server":
                process = fork_server(sweep)
            elif trials := trial_processes(sweep):
                process = self._moments.choice(trials)
            if process is not None and process.status() != psutil.STATUS_ZOMBIE:
                process.kill()
                counted[victim] += 1
                counted["kills"] += 1
        if victim == "controller":
            sweep.process.wait()

    def table(self) -> str:
        lines = [
            "| studies | kills | of them trial, controller, fork server | trials finished | tried "
            "again | left running | minutes |",
            "|---|---|---|---|---|---|---|",
        ]
        for controllers, name in NAMES.items():
            seen = self.seen[controllers]
            victims = ", ".join(str(seen[victim]) for victim in dict.fromkeys(VICTIMS))
            lines.append(
                f"| {seen['studies']} on {name} | {seen['kills']} | {victims} | "
                f"{seen['finished']} of {TRIALS * seen['studies']} | {seen['again']} | 0 | "
                f"{seen['seconds'] / 60:.1f} |"
            )
        return "\n".join(lines)


def check(folder: Path, trials: list[FrozenTrial]) -> None:
    """See that a study is as if nothing had been killed, but for what was tried again.

    Raises:
        AssertionError: it is not.
    """
    states = Counter(trial.state for trial in trials)
    assert states[TrialState.COMPLETE] == TRIALS, states
    assert states.keys() <= {TrialState.COMPLETE, TrialState.FAIL}, states
    assert [trial.number for trial in trials] == list(range(len(trials)))
    for trial in trials:
        # what a trial finds in its folder from another one makes it fail with that reason
        assert trial.user_attrs.get(CAUSE, Cause.KILLED) == Cause.KILLED, trial.user_attrs
        if trial.state is TrialState.COMPLETE:
            number, x = (folder / "out" / str(trial.number) / "nonce").read_text().split()
            assert (int(number), float(x)) == (trial.number, trial.params["x"])
            assert trial.value == result(trial.params["x"])
    await_workers_end(folder)


def main() -> None:
    """Run studies, and write the page's section."""
    print(f"seed {SEED}", flush=True)
    soak = Soak()
    with tempfile.TemporaryDirectory(prefix="soak-") as made:
        Path(made).chmod(0o755)  # PostgreSQL's files belong to another user
        with postgres(Path(made)) as address:
            for number in count():
                if soak.is_over:
                    break
                folder = Path(made, str(number))
                folder.mkdir()
                alone = number % 2 == 0
                url = f"sqlite:///{folder}/studies.db" if alone else database(address, number)
                soak.run_study(folder, url, 1 if alone else 2)
                print(f"study {number} holds\n{soak.table()}", flush=True)
    held = (
        "Every finished value was bit-identical to that of an undisturbed evaluation, each "
        "finished trial had a folder that no other had written to, and no process was left."
    )
    body = f"Seed {SEED}. {measured_on()}\n\n{soak.table()}\n\n{held}"
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(with_section(page, SOAK, body), encoding="utf-8")


def database(address: str, number: int) -> str:
    """A new database of the server at ``address``."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"create database soak{number}")
    engine.dispose()
    return f"{address.rpartition('/')[0]}/soak{number}"


if __name__ == "__main__":
    main()
