"""Samples what a trial and its machine are busy with, in a thread of the trial's process.

MLflow's own monitor writes to the store itself, so that a trial would have to wait for it.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

from sweeper.track.sensors import Sensor, sensors

log = logging.getLogger(__name__)

PREFIX = "system/"
"""MLflow's pages show metrics that begin so by themselves, as System metrics."""

Record = Callable[[Mapping[str, float], int], None]
"""Records metrics at a step; may raise OSError."""


@contextlib.contextmanager
def system_metrics(
    record: Record,
    seconds: float | None,
    due: Callable[[], bool] = lambda: True,
    measured: Callable[[], Sequence[Sensor]] = sensors,
) -> Iterator[None]:
    """Within the block figures are recorded every ``seconds``, and once at its end.

    Steps count the samples, from 0. The block waits for the last sample, less than a millisecond,
    and for nothing else; a sample that fails is the last one, and fails nothing in the block.

    Args:
        record: called in the thread.
        seconds: None records nothing.
        due: whether figures may be recorded yet; at the end they are in any case.
        measured: makes what is read.
    """
    if seconds is None:
        yield
        return
    ended = threading.Event()
    arguments = (record, seconds, due, measured, ended)
    thread = threading.Thread(target=_sample, args=arguments, name="system metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _sample(
    record: Record,
    seconds: float,
    due: Callable[[], bool],
    measured: Callable[[], Sequence[Sensor]],
    ended: threading.Event,
) -> None:
    try:
        parts = measured()
        step, last = 0, False
        while not last:
            last = ended.wait(seconds)
            if not (last or due()):
                continue
            figures = {
                f"{PREFIX}{name}": value for part in parts for name, value in part.read().items()
            }
            record(figures, step)
            step += 1
    except Exception:  # a full disk, a driver that has gone: the trial itself will say, or continue
        log.warning("system metrics end here", exc_info=True)
