"""How work ends in its process: what it returned or raised, as it travels back."""

import contextlib
import pickle
import traceback
from dataclasses import dataclass
from typing import Any

import cloudpickle

from sweeper.errors import SweeperError, TrialFailed
from sweeper.execute.executor import Channel
from sweeper.execute.failures import described, failure


@dataclass(frozen=True)
class Returned:
    """The work's end: what it returned."""

    value: Any


@dataclass(frozen=True)
class Raised:
    """The work's end: what it raised, as an error of this package."""

    error: SweeperError


def attempt(work: bytes, channel: Channel) -> bytes:
    """Run the work; return its outcome, pickled."""
    outcome: Returned | Raised
    try:
        outcome = Returned(pickle.loads(work)(channel))
    except SweeperError as error:
        outcome = Raised(error)
    except Exception as error:
        with contextlib.suppress(OSError):
            traceback.print_exc()
        outcome = Raised(failure(error))
    try:
        pickled: bytes = cloudpickle.dumps(outcome)
    except Exception as error:
        traceback.print_exc()
        verb = type(outcome).__name__.lower()
        reason = f"what the work {verb} cannot be sent: {described(error)}"
        pickled = pickle.dumps(Raised(TrialFailed(reason)))
    return pickled
