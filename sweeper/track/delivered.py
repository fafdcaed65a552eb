"""How far MLflow got a journal: a file beside it."""

import json
from dataclasses import asdict, dataclass

from sweeper.disk.files import write_aside
from sweeper.study_files.mlflow_paths import MlflowPaths


@dataclass(frozen=True)
class Delivered:
    """How far a store got a journal.

    Attributes:
        uri: the store.
        offset: where the first entry begins that it lacks.
        start: where the entry begins that opened the run.
        run_id: the run, empty before it is opened.
        unsure: whether a request to open it had no answer, and may have opened another one.
        ended: whether it was closed.
    """

    uri: str = ""
    offset: int = 0
    start: int = 0
    run_id: str = ""
    unsure: bool = False
    ended: bool = False


def read_delivered(paths: MlflowPaths) -> Delivered:
    """What is known of a journal; nothing is delivered where there is no such file."""
    try:
        return Delivered(**json.loads(paths.delivered.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return Delivered()


def write_delivered(paths: MlflowPaths, state: Delivered) -> None:
    """Keep what is known of a journal."""
    write_aside(paths.delivered, json.dumps(asdict(state)))
