"""One trial: data, a fine-tune for each fold, its result, artifacts.

Runs inside the trial's own process, whether a study or a person asked for it.
"""

import contextlib
import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import tensorflow as tf

from sweeper.advance import OnAdvance, no_advance, once_a_second
from sweeper.cache.shared_cache import Cache
from sweeper.config import Recipe
from sweeper.data.examples import Examples, Source
from sweeper.data.images import kept
from sweeper.data.sources.loading import load, undecodable
from sweeper.data.targets import Targets
from sweeper.errors import SweeperError, TrialPruned
from sweeper.paths import entries_dir
from sweeper.pictures.curves import save_curves
from sweeper.records import UNOWNED, Owner
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.track.tracker import Tracker
from sweeper.train import cost
from sweeper.train.building import BackboneSummary, build_classifier_for
from sweeper.train.data_uses import data_uses
from sweeper.train.evaluation import evaluation_batches
from sweeper.train.fit.checkpoint import Checkpoint
from sweeper.train.fit.fine_tune import FineTune
from sweeper.train.fit.inputs import Feed
from sweeper.train.fit.stages import planned, stage_keys
from sweeper.train.fit.starting_point import start_of
from sweeper.train.folds import Fit, objectives, splits_of
from sweeper.train.prebuild import DECODING
from sweeper.train.recorder import Recorder, Report
from sweeper.train.runtime import numerics
from sweeper.train.sanity import LossCheck, Verdict
from sweeper.train.savings import ledger
from sweeper.train.trained_weights import save_trained_weights
from sweeper.train.trial_files import keep_results, log_best_of_folds, save_pictures

log = logging.getLogger(__name__)


class Trial:
    """Fine-tunes one recipe and records it.

    Args:
        recipe: what to train.
        paths: where this trial's files go.
        tracker: where it is recorded.
        report: called after each epoch.
        prune_high: whether a loss far above ln(classes) ends the trial (in a study) or is a
            warning (for a person). NaN always ends it.
        known: of the backbone of ``recipe``, which is then built only where it is needed.
        owner: whose files this trial writes, and whose checkpoints it may resume from.
        on_advance: called with how far what takes long is, at most once a second.
    """

    def __init__(
        self,
        recipe: Recipe,
        paths: TrialPaths,
        tracker: Tracker,
        report: Report,
        prune_high: bool,
        known: BackboneSummary | None = None,
        owner: Owner = UNOWNED,
        on_advance: OnAdvance = no_advance,
    ) -> None:
        self._on_advance = once_a_second(on_advance)
        self._owner = owner
        self._recipe = recipe
        self._paths = paths
        self._tracker = tracker
        self._report = report
        self._prune_high = prune_high
        self._known = known
        self._cache = Cache(entries_dir(), int(recipe.cache.budget_gb * 1e9))
        self._recorders: list[Recorder] = []
        self._ledgers: list[Mapping[str, float]] = []

    def run(self) -> tuple[float, ...]:
        """Train, record, and return the recipe's objectives of the model that is saved.

        Resumes from the trial's checkpoints, if there are any. What else an earlier run left in
        the folder is removed first.

        Raises:
            TrialPruned: the loss check or the study ended it; what there is, is recorded.
            SweeperError: the recipe does not fit the data or the backbone.
        """
        recipe = self._recipe
        self._paths.remove_results()
        numerics.set_up(recipe)
        cost.reset_peak_memory()
        source = load(recipe.dataset)
        check = LossCheck(recipe.sanity, len(source.class_names))
        with contextlib.suppress(OSError):  # reading the image will report it
            self._tracker.log_data(data_uses(source, recipe))
        try:
            decoded = partial(self._on_advance, DECODING)
            with kept(self._cache, source.train, recipe.image_size, decoded) as train:
                values = self._train(replace(source, train=train), check)
        except tf.errors.InvalidArgumentError as error:
            # TensorFlow cannot say which image it was
            if broken := undecodable(recipe.dataset):
                raise SweeperError("; ".join(broken)) from error
            raise
        finally:
            self._record_end(check)
        for checkpoint in self._paths.checkpoints:
            checkpoint.unlink()
        return values

    def _record_end(self, check: LossCheck) -> None:
        """Record what is known at the end, however the trial ended."""
        verdicts = [recorder.verdict for recorder in self._recorders]
        worst = max(verdicts, key=list(Verdict).index, default=Verdict.OK)
        self._tracker.set_tags({"sanity": worst})
        if self._ledgers:
            total = {name: sum(one[name] for one in self._ledgers) for name in self._ledgers[0]}
            self._tracker.log_metrics(total, 0)
        epochs = next((one.epochs for one in reversed(self._recorders) if one.epochs), None)
        if epochs:
            path = self._paths.plots / "curves.png"
            title = f"{self._recipe.name}: {self._recipe.backbone.name}"
            untrained = self._recorders[-1].untrained
            save_curves(path, epochs, title, check.log_num_classes, untrained)
        for picture in sorted(self._paths.plots.glob("*.png")):
            self._tracker.log_file(picture, "plots")

    def _train(self, source: Source, check: LossCheck) -> tuple[float, ...]:
        recipe = self._recipe
        splits = splits_of(source, recipe)
        save_pictures(recipe, self._paths.plots, splits[0][0], source.class_names)
        whole = source.train if len(splits) > 1 else None
        fits = []
        for number, (train, held_out) in enumerate(splits):
            fold = number if len(splits) > 1 else None
            recorder = Recorder(
                self._tracker,
                self._report,
                check,
                recipe.objectives,
                self._prune_high,
                fold,
                sum(phase.phase.epochs for phase in planned(recipe)),
            )
            self._recorders.append(recorder)
            fits.append(self._fit(train, held_out, whole, source.class_names, recorder, fold))
            if fold is not None:
                log_best_of_folds(recipe, self._tracker, fits)
                value = objectives(recipe, fits[-1:])[0]
                self._report(value, fold, "fold", {}, compared=True, steps=None)
        keep_results(recipe, self._paths, self._tracker, fits, source.class_names)
        return objectives(recipe, fits)

    def _fit(
        self,
        train: Examples,
        held_out: Examples,
        whole: Examples | None,
        class_names: tuple[str, ...],
        recorder: Recorder,
        fold: int | None,
    ) -> Fit:
        recipe = self._recipe
        numerics.set_up(recipe)  # each fold by itself, whatever came before it
        targets = Targets.to_train(recipe.head, recipe.loss, class_names, train.labels)
        log.info("%d training and %d validation images", len(train), len(held_out))
        classifier = build_classifier_for(recipe, len(class_names), self._known)
        with contextlib.ExitStack() as held:
            passed = partial(self._on_advance, "computing features")
            feed = Feed.open(
                recipe, classifier, train, held_out, targets, self._cache, held, whole, passed
            )
            keys = stage_keys(recipe, start_of(recipe, self._owner, train, held_out))
            checkpoint = Checkpoint(self._paths.checkpoint(fold), keys)
            fine_tune = FineTune(recipe, classifier, feed, checkpoint, on_advance=self._on_advance)
            pruned = False
            try:
                outcome = fine_tune.run(recorder.on_untrained, recorder.on_epoch)
            except TrialPruned:
                pruned = True
                raise
            finally:
                self._ledgers.append(ledger(recipe, feed, recorder.epochs, pruned))
        path = self._paths.learned if fold is None else self._paths.trained_weights_by_fold(fold)
        save_trained_weights(path, outcome.learned, recipe, self._owner)
        validation = evaluation_batches(held_out, recipe, len(class_names))
        size = classifier.size(planned(recipe)[-1].freeze)
        costs = cost.measure(size, classifier.inference_model, validation, recipe.objectives)
        predicted = outcome.probabilities, outcome.logits
        return Fit(outcome.kept, recorder.epochs, held_out, *predicted, costs, path)
