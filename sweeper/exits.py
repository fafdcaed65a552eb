"""How a command ends: a sentence for the person, an exit code for scripts, a traceback in a log.

===== =====================================================
2     what was asked for is at fault; nothing was started
1     it was started, and failed
128+n signal n ended it
===== =====================================================
"""

import contextlib
import logging
import os
import select
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

from sweeper.addresses import redact
from sweeper.disk.files import write_aside
from sweeper.errors import SweeperError
from sweeper.execute.failures import described, machine_fault
from sweeper.execute.signals import handled
from sweeper.paths import crash_log

ASKED, FAILED = 2, 1
_HYDRAS_SWITCH = "HYDRA_FULL_ERROR"


class Stopped(KeyboardInterrupt):
    """A signal other than Ctrl-C asked this process to end."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Within the block SIGTERM and SIGHUP raise :class:`Stopped`, as Ctrl-C KeyboardInterrupt.

    One that this process was started to ignore (``nohup``) stays ignored.
    """
    with handled(("SIGTERM", "SIGHUP"), _raise_stopped):
        yield


def _raise_stopped(number: int, _frame: FrameType | None) -> NoReturn:
    raise Stopped(number)


@contextlib.contextmanager
def reported(interrupted: str | Callable[[], str] = "interrupted") -> Iterator[None]:
    """Whatever is raised within ends this process, as the table above says.

    ``HYDRA_FULL_ERROR=1`` shows the traceback on the screen too.

    Args:
        interrupted: what to say after Ctrl-C.
    """
    try:
        with _broken_pipes_raised():
            yield
    except KeyboardInterrupt as error:
        text = interrupted if isinstance(interrupted, str) else interrupted()
        leave(text, 128 + signal_of(error))
    except SweeperError as error:
        leave(str(error), error.exit_code)
    except RecursionError as error:
        leave(f"{_unexpected(error)}{_kept(error)}", FAILED)
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _reader_gone():
            leave("the reader of the output has ended: interrupted", 128 + signal.SIGPIPE)
        from sweeper.asked_faults import asked_fault  # its Hydra takes half a second to import

        asked = asked_fault(error)
        if asked is not None:
            _show(error)
            leave(asked, ASKED)
        fault = machine_fault(error)
        leave(f"{fault.reason if fault else _unexpected(error)}{_kept(error)}", FAILED)


@contextlib.contextmanager
def _broken_pipes_raised() -> Iterator[None]:
    """Within the block a line of a log that has no reader any more raises, as a printed one does.

    A handler of Python's logging prints the traceback instead, once for each line.
    """
    usual = logging.Handler.handleError

    def handle(handler: logging.Handler, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if isinstance(error, BrokenPipeError):
            raise error
        usual(handler, record)

    logging.Handler.handleError = handle  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        logging.Handler.handleError = usual  # type: ignore[method-assign]


def _reader_gone() -> bool:
    """Whether standard output is a pipe that nobody reads (``| head``); it leads nowhere then."""
    with contextlib.suppress(OSError, ValueError):
        descriptor = sys.stdout.fileno()
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        if any(events & select.POLLERR for _, events in poll.poll(0)):
            # else Python fails once more when it flushes at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
            return True
    return False


def leave(text: str, code: int) -> NoReturn:
    """Say ``text`` and end this process with ``code``."""
    with contextlib.suppress(OSError, ValueError):  # of a screen that is gone
        print(redact(text), file=sys.stderr, flush=True)
    raise SystemExit(code) from None


def signal_of(error: KeyboardInterrupt) -> int:
    """The number of the signal that ``error`` stands for."""
    return error.number if isinstance(error, Stopped) else signal.SIGINT


def _unexpected(error: BaseException) -> str:
    text = " ".join(described(error).split())
    return f"this should not happen: {text}; please report it with the log"


def _kept(error: BaseException) -> str:
    """Keep the traceback of ``error`` in a file, and say where."""
    _show(error)
    text = redact("".join(traceback.format_exception(error)))
    for log in (crash_log(), crash_log(Path(tempfile.gettempdir()))):
        with contextlib.suppress(OSError):
            write_aside(log, text.encode(errors="backslashreplace"))
            return f"\nlog: {log}"
    return ""


def _show(error: BaseException) -> None:
    if os.environ.get(_HYDRAS_SWITCH) == "1":
        traceback.print_exception(error)
