"""A sampler and a pruner at work on a made-up study, in a process that may be given up."""

import contextlib
import math
import multiprocessing
import os
import resource
import warnings
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import optuna
from optuna.study import StudyDirection
from optuna.trial import TrialState

from sweeper.errors import ConfigError
from sweeper.search.settings.samplers import build_pruner, build_sampler
from sweeper.search.space.search_space import SearchSpace

_SUGGESTIONS = 20
"""After those that a sampler draws at random, or for its first generation."""
_FEWEST, _CPU_SECONDS_ENOUGH = 3, 1
"""Suggestions that are enough where each takes long, such as those of Gaussian processes."""
_MOST_BEFORE = 300
_STEPS = 12
_CPU_SECONDS = 4
"""Of one suggestion with its decisions, which take milliseconds; not by the clock, so that a busy
machine is not taken for a fault of the keyword."""
_SECONDS = 60
"""What the whole may take; a machine that needs more is slow, and no keyword is blamed."""
_MEMORY = 4 << 30
_STARTS = ("n_startup_trials", "population_size", "popsize")

Config = Mapping[str, Any]


def attempt(
    sampler: Config, pruner: Config | None, space: SearchSpace, directions: Sequence[str]
) -> str | None:
    """Why they fail, or None."""
    # forked: what is to be tried is here already, and Optuna need not be imported again
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(
        target=_serve, args=(theirs, sampler, pruner, space, directions), daemon=True
    )
    process.start()
    theirs.close()
    reason: str | None = None
    try:
        reason = ours.recv() if ours.poll(_SECONDS) else None
    except EOFError:  # the system ended it
        process.join()
        reason = "it computes without an end, or needs more memory than there is"
    finally:
        ours.close()
        process.kill()
        process.join()
        process.close()
    return reason


def _serve(
    end: Connection,
    sampler: Config,
    pruner: Config | None,
    space: SearchSpace,
    directions: Sequence[str],
) -> None:
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silence, stream)
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_AS, _address_space() + _MEMORY)
    try:
        work(sampler, pruner, space, directions, _limit_next)
    except ConfigError:  # has a message of its own, elsewhere
        end.send(None)
    except MemoryError:
        end.send("it needs more memory than there is")
    except Exception as error:  # whatever Optuna trips over
        text = " ".join(str(error).split())
        end.send(f"{type(error).__name__}: {text}" if text else type(error).__name__)
    else:
        end.send(None)


def work(
    sampler: Config,
    pruner: Config | None,
    space: SearchSpace,
    directions: Sequence[str],
    limit: Callable[[], None] = lambda: None,
) -> None:
    """Suggest and decide; ``limit`` is called before whatever might not end.

    Raises:
        Exception: whatever a keyword makes Optuna raise.
    """
    limit()
    study = optuna.create_study(
        study_name="dry run",
        sampler=build_sampler(sampler, space.grid),
        pruner=build_pruner(pruner),
        directions=[StudyDirection[direction.upper()] for direction in directions],
    )
    keywords = [config.get(key) for config in (sampler, pruner or {}) for key in _STARTS]
    before = max((value for value in keywords if type(value) is int), default=0)
    before = min(max(before, 0), _MOST_BEFORE)
    stopped: list[bool] = []
    study.stop = lambda: stopped.append(True)  # type: ignore[method-assign]
    for number in range(before + _SUGGESTIONS):
        long = number >= before + _FEWEST and _cpu_seconds() > _CPU_SECONDS_ENOUGH
        if stopped or long:  # stopped: a grid that has no more
            return
        limit()
        trial = study.ask()
        for key, value in space.suggest(trial).items():
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"it proposes {key}={value}")
        values = [math.sin(7 * number + index) for index in range(len(directions))]
        if pruner is not None and _gives_up(trial):
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, values)


def _gives_up(trial: optuna.Trial) -> bool:
    for step in range(_STEPS):
        # no two differences between trials are the same: a rank test is slow where there are ties
        trial.report(1 / (step + 1) + math.sin((trial.number + 2) ** (step + 1) % 997), step)
        if trial.should_prune():
            return True
    return False


def _limit_next() -> None:
    """Let the system end this process when what is next does not end by itself."""
    _limit(resource.RLIMIT_CPU, math.ceil(_cpu_seconds()) + _CPU_SECONDS)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _limit(what: int, least: int) -> None:
    _, hard = resource.getrlimit(what)
    soft = least if hard == resource.RLIM_INFINITY else min(least, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(what, (soft, hard))


def _address_space() -> int:
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
    return int(pages) * resource.getpagesize()
