"""What MLflow has not got when a command ends, and how it gets it later."""

import math
import os
from collections.abc import Callable
from pathlib import Path

from sweeper.addresses import HIDDEN, redact
from sweeper.display.wording import command
from sweeper.errors import SweeperError
from sweeper.paths import shown_path
from sweeper.study_files.mlflow_paths import MlflowPaths
from sweeper.track.delivery import Delivery
from sweeper.track.journal import Journal, last_run
from sweeper.track.outbox import NO_RUN, Outbox
from sweeper.track.rounds import Outstanding

_INTERRUPTED_SECONDS = 5.0
"""For MLflow, at the end of a command that was interrupted or failed."""


def is_first_look(uri: str) -> bool:
    """Whether nobody has seen yet that there is a store at ``uri``.

    A server answered before anything heavy began (:mod:`sweeper.track.check`): from then on nothing
    waits for it. A database is known when it is opened.
    """
    return not uri.startswith("http")


def say_outstanding(
    delivery: Delivery,
    folder: Path,
    say: Callable[[str], None],
    interrupted: bool = False,
) -> None:
    """Let ``delivery`` end, and say what is outstanding and how it is delivered later.

    It has less time where the command was ``interrupted``. Ctrl-C ends the waiting, and nothing
    else: the results are in ``folder``.
    """
    try:
        left = delivery.finish(longest=_INTERRUPTED_SECONDS if interrupted else math.inf)
    except KeyboardInterrupt:
        delivery.hurry()
        left = delivery.finish()
    if left:
        say(spelled(left, folder))


def spelled(left: Outstanding, folder: Path) -> str:
    """What is outstanding, and the command that delivers it, in a sentence."""
    entries = f"{left.entries} {'entry' if left.entries == 1 else 'entries'}"
    runs = f"{left.runs} {'run' if left.runs == 1 else 'runs'}"
    reason = f" ({left.reason})" if left.reason else ""
    later = command(["sync", str(shown_path(folder))])
    return f"MLflow lacks {entries} of {runs}{reason}; to deliver what is kept here: {later}"


def sync(folder: Path, say: Callable[[str], None], uri: str | None = None) -> Outstanding:
    """Deliver to MLflow what is outstanding of all runs below ``folder``, each to its store.

    Args:
        folder: of a study or a single fine-tune, or one above several.
        say: shows a person a sentence.
        uri: the store instead of those that the runs were recorded for.

    Returns:
        What is outstanding still.

    Raises:
        SweeperError: there is no record of a run below ``folder``, or its store's address had
            credentials, which are kept nowhere.
        TrackerError: a store cannot be opened.
    """
    by_store: dict[str, list[MlflowPaths]] = {}
    left: list[Outstanding] = []
    known = MlflowPaths.below(folder)
    if not known:
        raise SweeperError(f"{folder} holds no run that was recorded for MLflow")
    for paths in known:
        if not Outbox(paths).waits:
            continue
        store = uri or store_of(paths)
        if store is None:
            reason = f"{paths.journal} {NO_RUN}"
            say(f"warning: {reason}")
            left.append(Outstanding(Outbox(paths).outstanding(), 1, reason))
        else:
            by_store.setdefault(store, []).append(paths)
    left += [_sync_store(uri, paths, say) for uri, paths in by_store.items()]
    return Outstanding(
        sum(one.entries for one in left),
        sum(one.runs for one in left),
        next((one.reason for one in left if one.reason), ""),
    )


def _sync_store(uri: str, paths: list[MlflowPaths], say: Callable[[str], None]) -> Outstanding:
    delivery = Delivery(uri, say)
    delivery.add(paths)
    delivery.begin()
    return delivery.finish()


def store_of(paths: MlflowPaths) -> str | None:
    """The store that the run of these files was recorded for, with its credentials.

    None where no run begins in them.

    Raises:
        SweeperError: it had some, and the environment does not name it.
    """
    entries = last_run(Journal(paths).entries())
    if not entries:
        return None
    uri = str(entries[0].content["uri"])
    if HIDDEN not in uri:
        return uri
    given = os.environ.get("MLFLOW_TRACKING_URI", "")
    if redact(given) == uri:
        return given
    raise SweeperError(
        f"the address {uri} of the runs in {paths.folder.parent} had credentials, which are kept "
        "nowhere; set MLFLOW_TRACKING_URI to the whole address, or --uri"
    )
