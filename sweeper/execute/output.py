"""What a trial writes to its screen goes to its log, C++ libraries included."""

import contextlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

_SCREEN = (1, 2)
"""File descriptors of standard output and error."""

_TAIL_BYTES = 64_000
"""More than a screen of long lines; a log of gigabytes is not read for its end."""


def open_closed_streams() -> None:
    """Open standard streams that this process was started without; what is written is lost.

    The next file that is opened would get the number of a closed one, and with it all that a
    library prints there.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which this is
        if getattr(sys, name) is None:
            mode = "w" if descriptor in _SCREEN else "r"
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8", closefd=False))


def redirect_output(log: Path) -> None:
    """Send this process's standard output and error to ``log`` from now on (appending)."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for descriptor in _SCREEN:
        os.dup2(target, descriptor)
    os.close(target)


@contextmanager
def output_to(log: Path) -> Iterator[TextIO]:
    """Within the block, output goes to ``log``; yields a text stream to the real screen."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(descriptor) for descriptor in _SCREEN]
    screen = os.fdopen(
        os.dup(saved[0]), "w", buffering=1, encoding="utf-8", errors="backslashreplace"
    )
    try:
        redirect_output(log)
        yield screen
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor, copy in zip(_SCREEN, saved, strict=True):
            os.dup2(copy, descriptor)
            os.close(copy)
        with contextlib.suppress(OSError):  # nobody reads it any more
            screen.close()


@contextmanager
def only_ours() -> Iterator[tuple[TextIO, TextIO]]:
    """Within the block nothing reaches the screen but what is written to the two streams.

    They are its standard output and error output. What C++ libraries print is lost, whatever their
    own settings say.
    """
    sys.stderr.flush()
    errors = os.fdopen(
        os.dup(_SCREEN[1]), "w", buffering=1, encoding="utf-8", errors="backslashreplace"
    )
    with errors, output_to(Path(os.devnull)) as screen:
        yield screen, errors


def tail(log: Path, lines: int = 20) -> str:
    """Return the last ``lines`` lines of ``log``, empty when it does not exist."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            data = file.read(_TAIL_BYTES)
    except FileNotFoundError:
        return ""
    return "\n".join(data.decode(errors="replace").splitlines()[-lines:])
