"""One trial: data, model, frozen phase, unfrozen phase, loss check, artifacts.

Runs inside the trial's own process, whether a study or a person asked for it.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from sweeper.config import Recipe
from sweeper.data.augment import build_augment
from sweeper.data.batches import Batches, batches
from sweeper.data.sources import Examples, Source, load, split_validation
from sweeper.errors import TrialPruned
from sweeper.models.build import Classifier, build_classifier
from sweeper.paths import TrialPaths
from sweeper.track.base import Tracker
from sweeper.train import plots
from sweeper.train.cost import count_parameters, milliseconds_per_image
from sweeper.train.phases import Epoch, initial_loss, run_phase
from sweeper.train.sanity import Finding, LossCheck, Verdict

log = logging.getLogger(__name__)

Report = Callable[[float, int, str, Mapping[str, float]], None]
"""Tells whoever asked for the trial (value, step, phase, metrics); may raise TrialPruned."""

_SHOWN = 9
"""Images in samples.png, augmentations in augmented.png."""


class Trial:
    """Fine-tunes one recipe and records it.

    Args:
        recipe: what to train.
        paths: where this trial's files go.
        tracker: where it is recorded.
        report: heard after each epoch.
        prune_high: whether a loss far above ln(classes) ends the trial (in a study) or is a
            warning (for a person). NaN always ends it.
    """

    def __init__(
        self,
        recipe: Recipe,
        paths: TrialPaths,
        tracker: Tracker,
        report: Report,
        prune_high: bool,
    ) -> None:
        self._recipe = recipe
        self._paths = paths
        self._tracker = tracker
        self._report = report
        self._prune_high = prune_high
        self._epochs: list[Mapping[str, float]] = []
        self._verdict = Verdict.OK

    def run(self) -> tuple[float, ...]:
        """Train, record, and return the recipe's objectives of the model that is saved.

        Raises:
            TrialPruned: the loss check or the study ended it; what there is, is recorded.
            SweeperError: the recipe does not fit the data or the backbone.
        """
        recipe = self._recipe
        keras.utils.set_random_seed(recipe.seed)
        keras.config.set_dtype_policy(recipe.precision)
        source = load(recipe.dataset)
        n_classes = len(source.class_names)
        self._check = LossCheck(recipe.sanity, n_classes)
        try:
            return self._train(source, n_classes)
        finally:
            self._tracker.set_tags({"sanity": self._verdict})
            if self._epochs:
                path = self._paths.plots / "curves.png"
                title = f"{recipe.name}: {recipe.backbone.name}"
                plots.save_curves(path, self._epochs, title, self._check.log_num_classes)
            for picture in sorted(self._paths.plots.glob("*.png")):
                self._tracker.log_file(picture, "plots")

    def _train(self, source: Source, n_classes: int) -> tuple[float, ...]:
        recipe = self._recipe
        examples, held_out = split_validation(
            source.train, recipe.dataset.validation_fraction, recipe.dataset.split_seed
        )
        augment = build_augment(recipe.augment, recipe.seed)
        train = batches(
            examples,
            recipe.image_size,
            recipe.batch_size,
            shuffle_seed=recipe.seed,
            augment=augment,
        )
        validation = evaluation_batches(held_out, recipe)
        log.info("%d training and %d validation images", train.images, validation.images)
        self._save_pictures(examples, source.class_names, augment)

        classifier = build_classifier_for(recipe, n_classes)
        frozen = classifier.trainer(0)
        loss = initial_loss(frozen, validation, recipe.head.one_logit)
        self._tracker.log_metrics(
            {
                "sanity.log_num_classes": self._check.log_num_classes,
                "sanity.initial_loss": loss,
            },
            step=0,
        )
        self._act_on(self._check.initial(loss))

        step = 0
        if recipe.phases.frozen:
            run_phase(
                frozen, "frozen", recipe.phases.frozen, recipe, train, validation, 0, self._on_epoch
            )
            step = recipe.phases.frozen.epochs
        if recipe.phases.unfrozen:
            run_phase(
                classifier.trainer(recipe.freeze.unfreeze_blocks),
                "unfrozen",
                recipe.phases.unfrozen,
                recipe,
                train,
                validation,
                step,
                self._on_epoch,
            )
        model = classifier.inference_model()
        truth, probabilities = predict(model, validation)
        plots.save_confusion_matrix(
            self._paths.plots / "confusion_matrix.png",
            truth,
            probabilities.argmax(axis=1),
            source.class_names,
        )
        self._paths.model.parent.mkdir(parents=True, exist_ok=True)
        model.save(self._paths.model)
        return self._objectives(model, validation)

    def _objectives(self, model: Any, validation: Batches) -> tuple[float, ...]:
        measured: dict[str, float] = {"parameters": count_parameters(model)}
        if "milliseconds_per_image" in self._recipe.objectives:
            measured["milliseconds_per_image"] = milliseconds_per_image(model, validation)
        self._tracker.log_metrics(measured, int(self._epochs[-1]["step"]))
        known = {**self._epochs[-1], **measured}
        return tuple(known[name] for name in self._recipe.objectives)

    def _on_epoch(self, epoch: Epoch) -> None:
        self._epochs.append({"step": epoch.step, **epoch.metrics})
        metrics = dict(epoch.metrics)
        loss = metrics["loss"]
        if epoch.first:
            metrics[f"sanity.{epoch.phase}_first_epoch_loss"] = loss
            finding = self._check.first_epoch(epoch.phase, loss)
        else:
            finding = self._check.any_epoch(epoch.step, loss)
        self._tracker.log_metrics(metrics, epoch.step)
        shown = {
            key: epoch.metrics[key] for key in ("loss", "accuracy", "val_loss", "val_accuracy")
        }
        log.info("%s epoch %d: %s", epoch.phase, epoch.step, shown)
        # a first objective that is known at the end only leaves nothing better to go by
        value = metrics.get(self._recipe.objectives[0], metrics["val_accuracy"])
        self._report(value, epoch.step, epoch.phase, shown)
        self._act_on(finding)

    def _act_on(self, finding: Finding) -> None:
        if finding.verdict is Verdict.OK:
            return
        self._verdict = finding.verdict
        self._tracker.set_tags({"sanity": finding.verdict, "sanity.reason": finding.reason})
        log.warning("loss check: %s", finding.reason)
        if self._prune_high or finding.verdict is Verdict.NAN:
            raise TrialPruned(f"loss check: {finding.reason}")

    def _save_pictures(
        self, examples: Examples, class_names: tuple[str, ...], augment: Callable[..., Any] | None
    ) -> None:
        recipe = self._recipe
        plain = batches(examples, recipe.image_size, _SHOWN, shuffle_seed=recipe.seed, augment=None)
        images, labels = next(iter(plain.dataset.as_numpy_iterator()))
        folder = self._paths.plots
        plots.save_samples(folder / "samples.png", images, labels, class_names)
        repeated = np.repeat(images[:1], _SHOWN, axis=0)
        # an augmentation of its own: the training one must not draw random numbers for a picture
        preview = build_augment(recipe.augment, recipe.seed)
        varied = np.asarray(preview(repeated)) if augment and preview else repeated
        plots.save_augmented(folder / "augmented.png", images[0], varied)


def evaluation_batches(examples: Examples, recipe: Recipe) -> Batches:
    """Batches in their order, as they are."""
    return batches(examples, recipe.image_size, recipe.batch_size, shuffle_seed=None, augment=None)


def build_classifier_for(recipe: Recipe, n_classes: int) -> Classifier:
    """The network that ``recipe`` describes, with a fresh head for ``n_classes``."""
    return build_classifier(
        recipe.backbone, recipe.head, n_classes, recipe.image_size, recipe.drop_connect_rate
    )


def predict(model: Any, examples: Batches) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """True labels ``[n]`` and the probabilities ``[n, classes]`` of an inference ``model``."""
    truth = np.concatenate([labels for _, labels in examples.dataset.as_numpy_iterator()])
    return truth, model.predict(examples.dataset, verbose=0)
