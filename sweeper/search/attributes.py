"""User attributes that sweeper keeps in an Optuna study and its trials, beside Optuna's own."""

REASON = "reason"
"""User attribute of a trial: why it was pruned or failed. A failure without one is a trial that was
interrupted, which does not count."""
FOLDER = "folder"
"""User attribute of a trial: its folder, relative to the study's. Of a study: its own."""
LOG_TAIL = "log_tail"
"""User attribute of a trial that failed: the end of its log."""
CAUSE = "cause"
"""User attribute of a trial that failed: a :class:`~sweeper.records.Cause`."""
OOM = "oom"
"""User attribute, and constraint, of a trial that ran out of memory."""
RETRY_OF = "retry_of"
"""User attribute of a trial: the number of the one whose parameters it tries again, and for which
it stands in the study's total."""
ATTEMPTS = "attempts"
"""User attribute of a trial: how often its parameters failed before, by cause."""
WARM_START = "warm_start"
"""User attribute of a trial that was taken from another study: which one, and its number there."""
SECONDS = "trial_seconds"
"""User attribute of a trial: how long its work took, by a clock that nobody sets."""
OWN_ATTRIBUTES = frozenset(
    {REASON, FOLDER, LOG_TAIL, CAUSE, OOM, RETRY_OF, ATTEMPTS, WARM_START, SECONDS}
)
"""User attributes of a trial that are not the application's to set."""
FINGERPRINT = "fingerprint"
"""User attribute of a study: what all its trials have in common, by key."""
EXHAUSTED = "exhausted"
"""User attribute of a study whose sampler has nothing left to propose."""
THREADS = "threads"
"""User attribute of a study: of TensorFlow's operations in each trial on the CPU."""
STUDY_ID = "study_id"
"""User attribute of a study: tells it from others of its name; :class:`StudyHooks` get it."""
