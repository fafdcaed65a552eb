"""PostgreSQL restarted, killed, stopped, cut off and slow, under controllers that share a study."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest
from faults.sweeps import SHARED, Sweep, counted, engine, shortened
from search.controllers import at, check_finished, trials_of
from search.test_outages import CLOSE_OTHERS
from servers import PostgresServer, postgres_server
from tcp_proxy import tcp_proxy

GROUP = "PostgreSQL"
Seen = Callable[[str], None]
MINUTE = 60
AWAY = "does not answer ("


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PostgresServer]:
    with postgres_server(tmp_path) as running:
        yield running


@contextmanager
def controllers(folder: Path, count: int, *words: str) -> Iterator[Sequence[Sweep]]:
    """As many controllers of one study, of which each has begun a trial."""
    with ExitStack() as running:
        sweeps = [running.enter_context(engine(folder, *SHARED, *words)) for _ in range(count)]
        for sweep in sweeps:
            sweep.await_line("step 1")
        yield sweeps


def ended(folder: Path, server: PostgresServer, name: str, sweeps: Sequence[Sweep]) -> str:
    """Wait for the end of the study, check it; returns what was counted."""
    codes = [sweep.end() for sweep in sweeps]
    assert codes == [0] * len(sweeps), "\n".join(sweep.printed for sweep in sweeps)
    trials = trials_of(server.url, name)
    check_finished(folder, trials, 20)
    return f"{counted(trials, 20)}; exit codes {' and '.join(map(str, codes))}"


@pytest.mark.faults(
    fault="restarted (fast shutdown, away for 10 s) under two controllers",
    promised="each controller says so once, waits and continues: exactly `n_trials`, none lost, "
    "nothing to do for a person",
)
def test_a_restart(tmp_path: Path, server: PostgresServer, seen: Seen) -> None:
    with controllers(tmp_path, 2, *at(server.url, "restarted"), "pause=0.2") as sweeps:
        server.stop()
        time.sleep(10)  # this long it shall take
        server.start()
        figures = ended(tmp_path, server, "restarted", sweeps)
        for sweep in sweeps:
            assert sweep.printed.count(AWAY) == sweep.printed.count("answers again") == 1
        said = [sweep.await_line("answers again").strip() for sweep in sweeps]
        silence = max(sweep.silence for sweep in sweeps)
        seen(f"{figures}; each said once that it waits, then {shortened(said[0], tmp_path)}")
        seen(f"{silence:.0f} s without progress")


@pytest.mark.faults(
    fault="all its processes killed with `kill -9`, started again at once",
    promised="the same",
)
def test_a_killed_server(tmp_path: Path, server: PostgresServer, seen: Seen) -> None:
    with controllers(tmp_path, 2, *at(server.url, "killed"), "pause=0.2") as sweeps:
        server.kill()
        server.start()
        seen(ended(tmp_path, server, "killed", sweeps))
        seen(f"{max(sweep.silence for sweep in sweeps):.0f} s without progress")


@pytest.mark.faults(
    fault="away for longer than `storage_timeout` (here 5 s), two controllers",
    promised="both end with exit code 1 and a sentence; the same command continues, nothing is "
    "counted twice",
)
def test_an_outage_that_is_too_long(tmp_path: Path, server: PostgresServer, seen: Seen) -> None:
    words = (*at(server.url, "long"), "pause=0.2", "hydra.sweeper.storage_timeout=5")
    with controllers(tmp_path, 2, *words) as sweeps:
        server.stop()
        codes = [sweep.end() for sweep in sweeps]
        assert codes == [1, 1], [sweep.printed for sweep in sweeps]
        said = sweeps[0].await_line("has not answered for")
        server.start()
    with engine(tmp_path, *SHARED, *words) as sweep:
        seen(f"exit codes 1 and 1, {shortened(said, tmp_path)}")
        seen(f"then {ended(tmp_path, server, 'long', [sweep])}")


@pytest.mark.faults(
    fault="stopped with SIGSTOP for a minute",
    promised="all waits for it and continues: exactly `n_trials`",
)
def test_a_server_that_hangs(tmp_path: Path, server: PostgresServer, seen: Seen) -> None:
    with controllers(tmp_path, 2, *at(server.url, "hangs"), "pause=0.2") as sweeps:
        server.signal(signal.SIGSTOP)
        time.sleep(MINUTE)  # this long it shall take
        server.signal(signal.SIGCONT)
        seen(ended(tmp_path, server, "hangs", sweeps))
        seen(f"{max(sweep.silence for sweep in sweeps):.0f} s without progress")


@pytest.mark.faults(
    fault="every connection closed by the server at random moments, up to 60 times",
    promised="what was interrupted is done again, what had just begun is tried again: exactly "
    "`n_trials`",
)
def test_connections_that_are_closed(tmp_path: Path, server: PostgresServer, seen: Seen) -> None:
    moments, closed = random.Random(1), 0
    with controllers(tmp_path, 2, *at(server.url, "closed"), "pause=0.05") as sweeps:
        with psycopg.connect(server.url.replace("+psycopg", ""), autocommit=True) as connection:
            while closed < 60 and all(sweep.process.poll() is None for sweep in sweeps):
                time.sleep(moments.uniform(0.1, 1))
                connection.execute(CLOSE_OTHERS)
                closed += 1
        seen(f"{ended(tmp_path, server, 'closed', sweeps)}; connections closed {closed} times")


@pytest.mark.faults(
    fault="the answer to every 10th commit lost: the server has done it, the connection ends",
    promised="nothing is done twice: exactly `n_trials`",
)
def test_answers_that_are_lost(tmp_path: Path, server: PostgresServer, seen: Seen) -> None:
    commits = lost = 0

    def loses(request: bytes) -> bool:
        nonlocal commits, lost
        commits += b"COMMIT" in request
        found = b"COMMIT" in request and commits % 10 == 0
        lost += found
        return found

    with tcp_proxy(server.port) as proxy:
        url = server.url.replace(f":{server.port}/", f":{proxy.port}/")
        with controllers(tmp_path, 2, *at(url, "answers"), "pause=0.05") as sweeps:
            proxy.loses = loses
            seen(f"{ended(tmp_path, server, 'answers', sweeps)}; {lost} answers lost")


@pytest.mark.faults(
    fault="a network that delays every packet by 50 ms",
    promised="the sweep is slower, nothing else",
)
def test_a_slow_network(tmp_path: Path, server: PostgresServer, seen: Seen) -> None:
    with tcp_proxy(server.port) as proxy:
        url = server.url.replace(f":{server.port}/", f":{proxy.port}/")
        with controllers(tmp_path, 2, *at(url, "slow"), "pause=0.05") as sweeps:
            proxy.delay = 0.05
            seen(ended(tmp_path, server, "slow", sweeps))


INSIDE = "ip link set lo up && exec "
CUT = "tc qdisc add dev lo root blackhole"
JOIN = "tc qdisc del dev lo root"


@pytest.mark.faults(
    fault="cut off for a minute: all packets between controllers and server are dropped",
    promised="connections are given up after 30 s, then as at a restart",
)
def test_a_cut_network(tmp_path: Path, seen: Seen) -> None:
    if os.geteuid() or not shutil.which("tc") or not shutil.which("nsenter"):
        pytest.skip("needs root, tc and nsenter")
    script = "import sys; sys.path[:0] = sys.argv[1].split(':'); from faults import cut; cut.main()"
    folders = ":".join(path for path in sys.path if path)
    command = ["unshare", "-n", "sh", "-c", f'{INSIDE}"$@"', "sh", sys.executable, "-c", script]
    with subprocess.Popen(
        [*command, folders, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as inside:
        assert inside.stdin is not None
        assert inside.stdout is not None
        assert inside.stdout.readline() == "running\n"
        enter = ["nsenter", "-t", str(inside.pid), "-n"]
        subprocess.run([*enter, *CUT.split()], check=True)
        time.sleep(MINUTE)  # this long it shall take
        subprocess.run([*enter, *JOIN.split()], check=True)
        printed, _ = inside.communicate()
    assert inside.returncode == 0, printed
    seen(printed.strip())
