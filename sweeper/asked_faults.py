"""Faults of what a person wrote, as Hydra, YAML and paths raise them: one sentence each."""

import errno
import os
import re
import sys
import traceback
from pathlib import Path

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from yaml import MarkedYAMLError, YAMLError

from sweeper.absent_keys import absent_key
from sweeper.execute.failures import described, machine_fault

_READERS = ("hydra", "omegaconf", "antlr4", "yaml")
"""Packages that read what a person wrote; errors of any class from their code are about that."""
_NO_NAME = (errno.ENAMETOOLONG, errno.ELOOP)
"""Errors that no path has which a program made by itself."""
_NO_PATH = ("embedded null", "Could not determine home directory", "Can't determine home")
"""What Python says of a name with a NUL, and of the home directory of nobody."""
_LONGEST = 60
"""Characters of a path that is no name."""
_NOWHERE = re.compile(r"Interpolation key '(.+)' not found")


def asked_fault(error: BaseException) -> str | None:
    """What a person wrote that Hydra or YAML cannot take, None where ``error`` is something else.

    Its text is one sentence with the file or the override, whatever the library makes of it.
    """
    if isinstance(error, YAMLError):
        return _yaml_fault(error)
    if isinstance(error, HydraException | OmegaConfBaseException):
        cause = error.__cause__
        if isinstance(cause, YAMLError):
            return _yaml_fault(cause)
        more = cause if isinstance(cause, OmegaConfBaseException) else None
        if absent := absent_key(error):
            if absent.endswith("confirm is null in this recipe"):  # of which there are no options
                return f"{absent}; write both keys at once: 'confirm={{top:3,seeds:3}}'"
            return f"{absent}; leave it out, or choose an option that has it"
        return ": ".join(_located(one) for one in (error, more) if one is not None)
    if isinstance(error, UnicodeDecodeError) and (file := _file_being_read(error)):
        return f"{file} is not UTF-8; save it as UTF-8"
    if fault := _path_fault(error) or _logging_fault(error):
        return fault
    if _raised_in(error) in _READERS:
        return " ".join(described(error).split())
    return None


def _path_fault(error: BaseException) -> str | None:
    """What is wrong with a path that a person wrote: no program can name it, or may not look."""
    if isinstance(error, FileNotFoundError) and not _has_working_folder():
        return "the folder that this command runs in is gone; change to one that is there"
    if isinstance(error, OSError) and error.filename is not None:
        path = os.fsdecode(error.filename)
        shown = path if len(path) <= _LONGEST else f"{path[:_LONGEST]}..."
        if error.errno in _NO_NAME:
            return f"{shown!r} is no path that can be used: {error.strerror}; name another one"
        if isinstance(error, PermissionError) and _is_asked_for(Path(path)):
            return f"{path!r} cannot be used: {error.strerror}; give this user access to it"
    if isinstance(error, ValueError | RuntimeError) and str(error).startswith(_NO_PATH):
        return f"a path cannot be used: {str(error).removesuffix('.')}; name another one"
    return None


def _logging_fault(error: BaseException) -> str | None:
    """What is wrong with the logging that a recipe asks for, which Python's logging refuses."""
    functions = {
        (frame.f_globals.get("__name__"), frame.f_code.co_name)
        for frame, _ in traceback.walk_tb(error.__traceback__)
    }
    if ("hydra.core.utils", "configure_log") not in functions or machine_fault(error):
        return None
    reasons = " from ".join(described(one) for one in (error, error.__cause__) if one)
    return (
        f"{' '.join(reasons.split())}; correct hydra.verbose, hydra.job_logging or "
        "hydra.hydra_logging"
    )


def _has_working_folder() -> bool:
    try:
        return bool(Path.cwd())
    except FileNotFoundError:
        return False


def _is_asked_for(path: Path) -> bool:
    """Whether the command line names ``path``, or a folder that it is in."""
    words = [word.rpartition("=")[2] for word in sys.argv[1:]]
    return any(path.absolute().is_relative_to(Path(word).absolute()) for word in words if word)


def _raised_in(error: BaseException) -> str:
    """The package whose code raised ``error``."""
    *_, last = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    return str(last.f_globals.get("__name__", "")).partition(".")[0]


def _file_being_read(error: BaseException) -> str | None:
    """The recipe that Hydra was reading; its readers' errors do not say."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name == "load_config" and "full_path" in frame.f_locals:
            return str(frame.f_locals["full_path"])
    return None


def _located(error: HydraException | OmegaConfBaseException) -> str:
    key = error.full_key if isinstance(error, OmegaConfBaseException) else None
    text = _first_paragraph(str(error))
    if found := _NOWHERE.search(text):
        text = (
            f"${{{found[1]}}} refers to no key of the configuration; correct it in the recipe or "
            "on the command line"
        )
    return f"{key}: {text}" if key and key not in text else text


def _yaml_fault(error: YAMLError) -> str:
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return (
            f"{mark.name}, line {mark.line + 1}, column {mark.column + 1} is no YAML: "
            f"{error.problem or error.context}; correct it there"
        )
    file = _file_being_read(error) or "a recipe"
    return f"{file} is no YAML: {' '.join(str(error).split())}"


def _first_paragraph(text: str) -> str:
    """What Hydra says before it lists its search path; on one line."""
    lines = [" ".join(line.split()) for line in text.strip().splitlines()]
    shown = [line for line in lines if line and not line.startswith(("full_key:", "object_type="))]
    return "; ".join(shown[:4])
