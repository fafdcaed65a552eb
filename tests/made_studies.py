"""Folders of studies as a sweep writes them, of as many trials as wanted, without training."""

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import yaml
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)
from recipes import recipe

from sweeper.records import COMPUTED, SAVED_BY_CACHE, SAVED_BY_PRUNING, Value
from sweeper.study_files.predictions import Predictions, halved, save
from sweeper.study_files.result import AboutStudy, AboutTrial, Result, Status, read_result, write
from sweeper.study_files.study_paths import StudyPaths
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.track.local import LocalTracker

SPACE: dict[str, BaseDistribution] = {
    "optimizer.learning_rate": FloatDistribution(1e-5, 1e-1, log=True),
    "freeze.unfreeze_blocks": IntDistribution(0, 7),
    "batch_size": CategoricalDistribution([16, 32, 64]),
    "optimizer": CategoricalDistribution(["adam", "sgd"]),
}
BEGAN = time.mktime((2026, 1, 2, 3, 4, 5, 0, 0, 0))


@dataclass
class Made:
    """A study in ``folder``; each method adds to it.

    Attributes:
        class_names: of what trials predict.
        images: that validate.
        epochs: of each trial, the first two with a frozen backbone.
        slots: trials that run at once.
    """

    folder: Path
    objectives: Sequence[str] = ("val_accuracy",)
    class_names: Sequence[str] = ("cat", "dog", "hen")
    images: int = 120
    epochs: int = 6
    slots: int = 2
    about: dict[str, object] = field(default_factory=dict)
    space: dict[str, BaseDistribution] = field(default_factory=lambda: dict(SPACE))

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(0)
        self._free = [BEGAN] * self.slots
        self._count = 0
        self._truth = self._random.integers(0, len(self.class_names), self.images)
        maximize = tuple(name == "val_accuracy" for name in self.objectives)
        words = ("+experiment=digits_lite0", "-m")
        known = {"words": words, "working_folder": "/home/me", "mlflow": "mlflow ui", **self.about}
        about = AboutStudy("digits", "id", tuple(self.objectives), maximize, **known)  # type: ignore[arg-type]
        write(StudyPaths(self.folder).about, about)

    def add(
        self,
        state: Status = Status.COMPLETE,
        *,
        folds: int | None = None,
        reason: str = "",
        log: str = "",
        params: dict[str, Value] | None = None,
    ) -> TrialPaths:
        """Add a trial; a better one the nearer its learning rate is to 1e-3."""
        number, self._count = self._count, self._count + 1
        paths = TrialPaths(self.folder / "trials" / f"{number:04d}")
        params = self._drawn() if params is None else params
        slot = int(np.argmin(self._free))
        began, seconds = self._free[slot], 5 + 40 * self._random.random()
        self._free[slot] = began + seconds + 0.2
        drawn = {
            key: distribution_to_json(kind) for key, kind in self.space.items() if key in params
        }
        write(paths.about, AboutTrial(number, "id", params, began, None, drawn))
        paths.config.write_text(_recipe())
        rate = params.get("optimizer.learning_rate", 1e-3)
        quality = max(0.05, 0.97 - 0.12 * abs(math.log10(float(rate or 1e-3)) + 3))
        epochs = {Status.FAILED: 1, Status.PRUNED: self.epochs // 2}.get(state, self.epochs)
        if state is Status.RUNNING:
            epochs = 1
        tracker = LocalTracker(paths)
        for fold in [None] if folds is None else range(folds):
            self._train(tracker, epochs, quality, fold)
        tracker.log_metrics({COMPUTED: seconds, SAVED_BY_CACHE: 2.0, SAVED_BY_PRUNING: 1.0}, 0)
        if log:
            paths.log.parent.mkdir()
            paths.log.write_text(log)
        if state is Status.RUNNING:
            return paths
        values = {}
        if state is Status.COMPLETE:
            values = self._predict(paths, quality, folds or 1)
        tracker.end(state, reason, {name: values[name] for name in self.objectives if values})
        known = read_result(paths.result)
        assert known is not None
        counts = state is not Status.INTERRUPTED
        plain = {**known.__dict__, "ended": began + seconds, "seconds": seconds, "counts": counts}
        write(paths.result, Result(**plain))
        return paths

    def test(self, number: int, right: Sequence[bool], order: Sequence[int] | None = None) -> None:
        """Add the test of trial ``number``, which gets the images right that ``right`` says.

        ``order`` is that in which the data set has its images.
        """
        count, classes = len(right), len(self.class_names)
        truth = np.arange(count) % classes
        said = np.where(right, truth, (truth + 1) % classes)
        logits = np.zeros((count, classes))
        logits[np.arange(count), said] = 3
        names = np.array(self.class_names)
        ids = np.array([f"{names[label]}/test{n}.jpg" for n, label in enumerate(truth)])
        at = np.arange(count) if order is None else np.array(order)
        odds = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        fold = np.zeros(count, np.int64)
        kept = Predictions(ids[at], truth[at], fold, halved(odds[at]), halved(logits[at]), names)
        save(TrialPaths(self.folder / "trials" / f"{number:04d}").test_predictions, kept)

    def _drawn(self) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for key, kind in self.space.items():
            if isinstance(kind, CategoricalDistribution):
                found[key] = kind.choices[int(self._random.integers(len(kind.choices)))]
            elif isinstance(kind, IntDistribution):
                found[key] = int(self._random.integers(kind.low, kind.high + 1))
            elif isinstance(kind, FloatDistribution):
                part = self._random.random()
                found[key] = kind.low + (kind.high - kind.low) * part
                if kind.log:
                    found[key] = kind.low * (kind.high / kind.low) ** part
        return found

    def _train(self, tracker: LocalTracker, epochs: int, quality: float, fold: int | None) -> None:
        for step in range(epochs):
            part = 1 - math.exp(-(step + 1) / 2)
            metrics = {
                "val_accuracy": quality * part,
                "val_loss": 2.3 * (1 - quality * part),
                "loss": 2.0 * (1 - quality * part),
            }
            tracker.log_epoch(metrics, step, "frozen" if step < 2 else "unfrozen", fold)

    def _predict(self, paths: TrialPaths, quality: float, folds: int) -> dict[str, float]:
        classes = len(self.class_names)
        right = self._random.random(self.images) < quality
        said = np.where(right, self._truth, (self._truth + 1) % classes)
        logits = self._random.normal(size=(self.images, classes))
        logits[np.arange(self.images), said] += 6
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = odds / odds.sum(axis=1, keepdims=True)
        ids = np.array([f"{self.class_names[k]}/{n}.jpg" for n, k in enumerate(self._truth)])
        fold = np.arange(self.images) % folds
        names = np.array(self.class_names)
        kept = Predictions(ids, self._truth, fold, halved(probabilities), halved(logits), names)
        save(paths.predictions, kept)
        of_truth = probabilities[np.arange(self.images), self._truth]
        return {
            "val_accuracy": float((said == self._truth).mean()),
            "val_loss": float(-np.log(of_truth).mean()),
            "milliseconds_per_image": float(1 + self._random.random()),
        }


@cache
def _recipe() -> str:
    return yaml.safe_dump(recipe().model_dump(mode="json", exclude_unset=True))


def findings(folder: Path) -> None:
    """What the data doctor writes, in brief."""
    known = {"summary": [["data", "300 images"], ["labels", "2 are likely wrong"]]}
    target = StudyPaths(folder).data_report / "data.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(known))
