"""MLflow's own server of a model, as a process on a loopback port."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from servers import free_port

_SERVING = re.compile(r"running on (http://127\.0\.0\.1:\d+)")


@contextmanager
def model_server(model: Path) -> Iterator[str]:
    """Address of ``mlflow models serve`` on the folder of a model, until the block ends.

    Raises:
        RuntimeError: with what the server wrote, where it does not start.
    """
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(model)]
    local = ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(free_port())]
    # the command looks for uvicorn on PATH
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path}
    with (
        subprocess.Popen(
            [*command, *local],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            start_new_session=True,  # the server is a child of the command
        ) as process,
        ThreadPoolExecutor(1) as reader,
    ):
        assert process.stdout is not None
        try:
            written = []
            for line in process.stdout:
                written.append(line)
                if found := _SERVING.search(line):
                    reader.submit(list, process.stdout)  # a full pipe would stop the server
                    yield found[1]
                    break
            else:
                raise RuntimeError("the model server ended:\n" + "".join(written))
        finally:
            os.killpg(process.pid, signal.SIGKILL)
