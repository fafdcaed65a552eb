"""A recipe trained again on train plus validation, for the epochs that were best."""

import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from sweeper.cache.shared_cache import Cache
from sweeper.config import Recipe, TestSet
from sweeper.data.examples import Source
from sweeper.data.sources.loading import load
from sweeper.data.targets import Targets
from sweeper.errors import SweeperError, TrialPruned
from sweeper.models.inference import compiled
from sweeper.paths import entries_dir
from sweeper.records import Owner
from sweeper.report.reader import EpochRecord
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.train.building import build_classifier_for
from sweeper.train.evaluation import evaluation_batches
from sweeper.train.final_test import evaluate
from sweeper.train.fit.checkpoint import Checkpoint
from sweeper.train.fit.fine_tune import FineTune, Outcome
from sweeper.train.fit.inputs import Feed
from sweeper.train.fit.phase_state import Epoch
from sweeper.train.fit.stages import planned, stage_keys
from sweeper.train.fit.starting_point import start_of
from sweeper.train.folds import splits_of
from sweeper.train.optimizers.early_stopping import Best
from sweeper.train.runtime import numerics
from sweeper.train.sanity import LossCheck, Verdict
from sweeper.train.trained_weights import save_trained_weights
from sweeper.train.winning_model import card_of, make_model, write_model

log = logging.getLogger(__name__)

Followed = Mapping[str, Sequence[Mapping[str, float]]]
"""By the name of a phase, the metrics of its epochs, up to the one that was kept."""

OnEpoch = Callable[[Epoch, Mapping[str, float]], None]
"""Called after each epoch, with its metrics on what trains."""

_OWN = ("loss", "accuracy", "learning_rate", "epoch_seconds", "images_per_second")
"""Metrics of an epoch that do not speak of validation."""


def followed(recipe: Recipe, curves: Sequence[EpochRecord]) -> Followed:
    """The epochs of a trial that a refit repeats.

    Of a trial with folds it is the fold whose accuracy is nearest to the mean, as for its model.
    """
    by_fold: dict[int | None, list[EpochRecord]] = {}
    for epoch in curves:
        by_fold.setdefault(epoch.fold, []).append(epoch)
    runs = [_kept(recipe, epochs) for epochs in by_fold.values()]
    last = planned(recipe)[-1].name
    accuracies = np.array([run[last][-1]["val_accuracy"] for run in runs])
    return runs[int(np.abs(accuracies - accuracies.mean()).argmin())]


def _kept(recipe: Recipe, epochs: Sequence[EpochRecord]) -> Followed:
    found: dict[str, list[Mapping[str, float]]] = {}
    for phase in planned(recipe):
        metrics = [epoch.metrics for epoch in epochs if epoch.phase == phase.name]
        best = Best(recipe.early_stopping)
        kept = [number for number, one in enumerate(metrics) if best.after_epoch(one)]
        if not recipe.early_stopping.restore_best:
            kept = [len(metrics) - 1]
        found[phase.name] = metrics[: kept[-1] + 1]
    return found


def refit(
    recipe: Recipe,
    epochs: Followed,
    paths: TrialPaths,
    owner: Owner,
    origin: Mapping[str, str],
    on_epoch: OnEpoch,
) -> dict[str, float]:
    """Train ``recipe`` on train plus validation, and write the model and its test result.

    Whatever looks at validation (early stopping, a plateau schedule) decides as it did in the
    trial. Resumes from a checkpoint in the folder.

    Args:
        recipe: of a trial.
        epochs: of that trial, see :func:`followed`.
        paths: where the files go.
        owner: whose files they are.
        origin: what the card says of where the model comes from.
        on_epoch: shows or records each epoch.

    Returns:
        The test result, empty without test images. There is no validation result: no image is left
        that the model has not seen.

    Raises:
        SweeperError: validation is by the test images, which shall not train; or the loss is not
            finite.
    """
    if isinstance(recipe.validation, TestSet):
        raise SweeperError(
            "validation=test: to train on what validated would be to train on the test images"
        )
    numerics.set_up(recipe)
    source = load(recipe.dataset)
    outcome = _train(recipe, epochs, source, paths, owner, on_epoch)
    save_trained_weights(paths.learned, outcome.learned, recipe, owner)
    classes = len(source.class_names)
    model = make_model(recipe, classes, paths, owner)
    test = {}
    if source.test is not None:
        test = evaluate(compiled(model), evaluation_batches(source.test, recipe, classes))
    write_model(model, card_of(recipe, source, owner, test, origin), paths.model)
    for one in paths.checkpoints:
        one.unlink()
    return test


def _train(
    recipe: Recipe,
    epochs: Followed,
    source: Source,
    paths: TrialPaths,
    owner: Owner,
    on_epoch: OnEpoch,
) -> Outcome:
    """Fine-tune on all that trained and validated.

    A fine-tune measures each epoch on held-out images; here nothing comes of it, so it has one.
    """
    names, train = source.class_names, source.train
    held_out = splits_of(source, recipe)[0][1].select(np.zeros(1, np.int64))
    targets = Targets.to_train(recipe.head, recipe.loss, names, train.labels)
    log.info("%d images train, with those that validated", len(train))
    classifier = build_classifier_for(recipe, len(names))
    cache = Cache(entries_dir(), int(recipe.cache.budget_gb * 1e9))
    check = LossCheck(recipe.sanity, len(names))

    def judged(epoch: Epoch) -> None:
        finding = check.any_epoch(epoch.step, epoch.metrics["loss"])
        if finding.verdict is Verdict.NAN:
            raise TrialPruned(finding.reason)
        own = {name: value for name, value in epoch.metrics.items() if name in _OWN}
        on_epoch(epoch, own)

    with contextlib.ExitStack() as held:
        feed = Feed.open(recipe, classifier, train, held_out, targets, cache, held)
        keys = stage_keys(recipe, ["refit", *start_of(recipe, owner, train, held_out)])
        checkpoint = Checkpoint(paths.checkpoint(None), keys)
        fine_tune = FineTune(recipe, classifier, feed, checkpoint, epochs)
        return fine_tune.run(lambda _loss, _accuracy: None, judged)
