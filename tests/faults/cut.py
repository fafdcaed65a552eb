"""PostgreSQL and two controllers, to be run in a network of their own that a test cuts."""

import sys
from pathlib import Path

from faults.test_postgresql_faults import AWAY, at, controllers, ended
from servers import postgres_server


def main() -> None:
    """Run a study in the folder that the command line names last."""
    folder = Path(sys.argv[-1])
    with (
        postgres_server(folder) as server,
        controllers(folder, 2, *at(server.url, "cut"), "pause=0.2") as sweeps,
    ):
        print("running", flush=True)
        figures = ended(folder, server, "cut", sweeps)
        said = sum(sweep.printed.count(AWAY) for sweep in sweeps)
        silence = max(sweep.silence for sweep in sweeps)
        print(f"{figures}; {silence:.0f} s without progress; said {said} times in all")
