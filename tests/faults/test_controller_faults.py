"""Two and five controllers that share all: a PostgreSQL, a folder, a study."""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from faults.sweeps import SHARED, Sweep, counted, engine
from optuna.trial import FrozenTrial
from search.controllers import at, check_finished, trials_of
from servers import postgres

GROUP = "Several controllers"
Seen = Callable[[str], None]
MINUTE = 60


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres(tmp_path_factory.mktemp("postgres")) as address:
        yield address


@contextmanager
def controllers(folder: Path, count: int, *words: str) -> Iterator[Sequence[Sweep]]:
    with ExitStack() as running:
        yield [running.enter_context(engine(folder, *SHARED, *words)) for _ in range(count)]


def finished(folder: Path, url: str, name: str, living: Sequence[Sweep]) -> list[FrozenTrial]:
    codes = [sweep.end() for sweep in living]
    assert codes == [0] * len(living), "\n".join(sweep.printed for sweep in living)
    trials = trials_of(url, name)
    check_finished(folder, trials, 20)
    return trials


@pytest.mark.faults(
    fault="two controllers begin at once",
    promised="one study, one total, no folder twice",
)
def test_two_begin_at_once(tmp_path: Path, url: str, seen: Seen) -> None:
    with controllers(tmp_path, 2, *at(url, "two")) as sweeps:
        trials = finished(tmp_path, url, "two", sweeps)
        started = [sweep.printed.count(" of 20 started") for sweep in sweeps]
    assert len(trials) == sum(started) == 20
    seen(f"{counted(trials, 20)}; they ran {started[0]} and {started[1]} trials")


@pytest.mark.faults(
    fault="five controllers begin at once, two of them are killed with `kill -9`",
    promised="the others notice by the heartbeat and try again what was left: exactly `n_trials`",
)
def test_five_of_which_two_are_killed(tmp_path: Path, url: str, seen: Seen) -> None:
    with controllers(tmp_path, 5, *at(url, "five"), "pause=0.5") as sweeps:
        for victim in sweeps[:2]:
            victim.await_line("step 1")
            victim.kill()
        trials = finished(tmp_path, url, "five", sweeps[2:])
        left = sum(sweep.printed.count("was left by a controller") for sweep in sweeps[2:])
    assert left > 0
    seen(f"{counted(trials, 20)}; {left} trials of the dead were noticed")


@pytest.mark.faults(
    fault="one of two is stopped with SIGSTOP for a minute",
    promised="the other takes over its trials; it gives them up when it wakes, and nothing counts "
    "twice",
)
def test_one_of_two_is_stopped(tmp_path: Path, url: str, seen: Seen) -> None:
    with controllers(tmp_path, 2, *at(url, "stopped"), "pause=0.5", "reports=8") as sweeps:
        awake, sleeper = sweeps
        awake.await_line("step 1")
        sleeper.await_line("step 1", times=2)  # of both slots: none of them holds the lock
        sleeper.signal(signal.SIGSTOP)
        time.sleep(MINUTE)  # this long it shall take
        sleeper.signal(signal.SIGCONT)
        trials = finished(tmp_path, url, "stopped", sweeps)
        taken = awake.printed.count("was left by a controller")
    states = Counter(trial.state.name for trial in trials)
    assert states["COMPLETE"] == 20
    assert taken > 0
    seen(f"{counted(trials, 20)}; {taken} trials taken over; exit codes 0 and 0")
