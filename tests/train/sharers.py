"""What the other processes of these tests do with features; reported apart by their folder."""

import contextlib
import importlib
import os
import signal
from pathlib import Path

import numpy as np
from test_features import Counted, features, images, in_order, prefixes

from sweeper.cache.shared_cache import Cache
from sweeper.train.frozen import views


def compute(root: Path, out: Path, die_after: int) -> None:
    """Open two views of two prefixes; write what was found, and what was computed here.

    Killed by SIGKILL in the middle of a file, after so many batches; never where it is negative.
    """
    counted = Counted()
    examples = counted.examples
    wanted = [images("augment=digits", view=view, examples=examples) for view in range(2)]
    plain = views.batches

    def deadly(*arguments: object, **named: object) -> object:
        source = plain(*arguments, **named)  # type: ignore[arg-type]

        def epoch(number: object) -> object:
            for step, batch in enumerate(source.epochs(number, number + 1)):  # type: ignore[operator]
                if step == die_after:
                    os.kill(os.getpid(), signal.SIGKILL)
                yield batch

        return _Dying(source.steps, epoch)

    if die_after >= 0:
        views.batches = deadly  # type: ignore[assignment]
    with contextlib.ExitStack() as held:
        found = features(Cache(root, 10**9), prefixes([1, 0])).open([wanted, wanted], held)
        values = {
            f"{place} {number}": in_order(view, view.values)
            for place, opened in enumerate(found)
            for number, view in enumerate(opened or ())
        }
        np.savez(out, passes=counted.passes, **values)


class _Dying:
    """Batches of one epoch that do not come to their end."""

    def __init__(self, steps: int, epoch: object) -> None:
        self.steps = steps
        self._epoch = epoch

    def epochs(self, first: int, _last: int) -> object:
        return self._epoch(first)  # type: ignore[operator]


def recompute(root: Path, photos: Path, moment: str) -> None:
    """Decode and compute what the changed data set lacks; killed by SIGKILL at ``moment``."""
    from test_reuse import outcome

    module, _, name = moment.rpartition(".")
    plain = getattr(importlib.import_module(module), name)

    def deadly(*arguments: object, **named: object) -> object:
        if name == "copy_rows":  # killed when it has copied
            plain(*arguments, **named)
        os.kill(os.getpid(), signal.SIGKILL)
        return None

    setattr(importlib.import_module(module), name, deadly)
    outcome(Cache(root, 10**9), photos)
