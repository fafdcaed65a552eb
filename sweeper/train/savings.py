"""What a trial cost in seconds of computation, and what it would have cost."""

from collections.abc import Mapping, Sequence

from sweeper.config import Recipe
from sweeper.records import COMPUTED, FEATURES, SAVED_BY_CACHE, SAVED_BY_PRUNING
from sweeper.train.fit.inputs import Feed
from sweeper.train.fit.stages import planned


def ledger(
    recipe: Recipe, feed: Feed, epochs: Sequence[Mapping[str, float]], pruned: bool
) -> dict[str, float]:
    """Seconds of one fine-tune, by the names of its metrics.

    ``compute.seconds`` went into epochs, and into frozen layers whose output was not kept yet.
    ``compute.features_seconds`` is the latter alone.
    ``compute.saved_by_cache_seconds`` is what frozen layers would have taken in every epoch, less
    what they took: below 0 in a trial that computes what only others use.
    ``compute.saved_by_pruning_seconds`` is for the epochs that a pruned one did not run, each as
    long as those of its phase; of a phase that never began, as those of the one before it. Those
    that early stopping left out of an earlier phase are not among them.

    Args:
        recipe: what was trained.
        feed: what it was trained on.
        epochs: metrics of the epochs that ran.
        pruned: whether more were to come.
    """
    spent, saved, pruning, typical = feed.computed_seconds, -feed.computed_seconds, 0.0, 0.0
    for phase in planned(recipe):
        number = 0.0 if phase.name == "frozen" else 1.0
        own = [epoch["epoch_seconds"] for epoch in epochs if epoch["phase"] == number]
        spent += sum(own)
        saved += len(own) * feed.seconds_of_epoch(phase.name)
        typical = sum(own) / len(own) if own else typical
        left_out = any(epoch["phase"] > number for epoch in epochs)
        pruning += 0.0 if left_out else (phase.phase.epochs - len(own)) * typical
    return {
        COMPUTED: spent,
        FEATURES: feed.computed_seconds,
        SAVED_BY_CACHE: saved,
        SAVED_BY_PRUNING: pruning if pruned else 0.0,
    }
