"""What all that run the trials of one study share."""

from dataclasses import dataclass

from sweeper.display.interface import Progress
from sweeper.execute.executor import Executor
from sweeper.search.hooks import StudyHooks
from sweeper.search.status import StudyStatus
from sweeper.search.stopping import StopSignal
from sweeper.search.stores.exclusive import Store
from sweeper.search.study import Study


@dataclass(frozen=True)
class Session:
    """One controller at work on one study.

    ``stop_signal.changed`` is held while the status and the hooks are used.
    """

    study: Study
    store: Store
    status: StudyStatus
    executor: Executor
    hooks: StudyHooks
    progress: Progress
    stop_signal: StopSignal
