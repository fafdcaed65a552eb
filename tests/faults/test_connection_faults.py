"""A PostgreSQL that gives out no more connections, under controllers that share a study."""

from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import psycopg
import pytest
from faults.sweeps import SHARED, counted, engine
from search.controllers import at, check_finished, trials_of
from servers import postgres_server

GROUP = "PostgreSQL"
HOLDER = "holder"
AWAY = "does not answer ("
CLOSE_CONTROLLERS = (
    "select pg_terminate_backend(pid) from pg_stat_activity "
    f"where backend_type = 'client backend' and application_name <> '{HOLDER}'"
)


@pytest.mark.faults(
    fault="every connection closed, and other clients hold as many as the server allows",
    promised="each controller says so, waits for a free one and continues: exactly `n_trials`",
)
def test_no_connection_left(tmp_path: Path, seen: Callable[[str], None]) -> None:
    with postgres_server(tmp_path) as server:
        words = (*SHARED, *at(server.url, "full"), "pause=0.2")
        connect = partial(
            psycopg.connect,
            server.url.replace("+psycopg", ""),
            application_name=HOLDER,
            autocommit=True,
        )
        with engine(tmp_path, *words) as one, engine(tmp_path, *words) as other:
            sweeps = one, other
            for sweep in sweeps:
                sweep.await_line("step 1")
            with ExitStack() as held:
                first = held.enter_context(connect())
                count = 1
                while not all(AWAY in sweep.printed for sweep in sweeps):
                    assert all(sweep.process.poll() is None for sweep in sweeps)
                    first.execute(CLOSE_CONTROLLERS)
                    with suppress(psycopg.OperationalError):
                        while True:
                            held.enter_context(connect())
                            count += 1
            assert [sweep.end() for sweep in sweeps] == [0, 0]
            trials = trials_of(server.url, "full")
            check_finished(tmp_path, trials, 20)
            for sweep in sweeps:
                assert "too many clients" in sweep.printed
                # more than once where it finds one that was closed to be taken by a holder
                assert sweep.printed.count(AWAY) == sweep.printed.count("answers again")
            longest = max(sweep.silence for sweep in sweeps)
        seen(f"{counted(trials, 20)}; exit codes 0 and 0; {count} connections were held")
        seen(f"{longest:.0f} s without progress")
