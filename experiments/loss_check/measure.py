"""How often the loss check is wrong: false alarms on healthy trials, misses of planted faults.

``python measure.py`` runs what is missing of ``runs/results.csv`` (an hour on one core), and prints
the table of the README. A trial is one frozen phase of a head on features that are computed once;
in the last combination a whole small network trains from scratch.
"""

import argparse
import csv
import math
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
from hydra import compose, initialize_config_dir
from numpy.typing import NDArray
from sklearn.datasets import load_digits, load_sample_images
from sklearn.model_selection import train_test_split

from sweeper.config import Recipe
from sweeper.data.batches import Batches, shuffled
from sweeper.data.targets import Targets
from sweeper.errors import TrialPruned
from sweeper.models.build import Classifier, attach_head
from sweeper.models.split_model import SplitModel
from sweeper.paths import conf_dir
from sweeper.track.tracker import NullTracker
from sweeper.train.building import build_backbone_for, build_classifier_for
from sweeper.train.fit.checkpoint import Checkpoint
from sweeper.train.fit.fine_tune import FineTune
from sweeper.train.fit.inputs import Inputs, PlannedPhase
from sweeper.train.fit.phase_state import Epoch
from sweeper.train.fit.stages import stage_keys
from sweeper.train.recorder import Recorder
from sweeper.train.runtime import numerics
from sweeper.train.sanity import LossCheck
from sweeper.validation import parse

RESULTS = Path(__file__).parent / "runs" / "results.csv"
FIELDS = ("combination", "fault", "seed", "verdict", "stage", "initial", "first", "edge", "rate")
HEAD = ("phases.unfrozen=null", "phases.frozen.epochs=2", "checkpoint_epochs=null")
SCRATCH = (
    "freeze=scratch", "backbone=efficientnet_scaled", "backbone.width_coefficient=0.25",
    "backbone.depth_coefficient=0.25", "phases.frozen=null", "phases.unfrozen.epochs=2",
    "image_size=32", "checkpoint_epochs=null",
)  # fmt: skip
COMBINATIONS = {
    "digits, 32 px, Lite0": ("digits", *HEAD, "image_size=32"),
    "digits, 48 px, Lite0": ("digits", *HEAD, "image_size=48"),
    "digits, 96 px, Lite0, head without BatchNorm": (
        "digits", *HEAD, "image_size=96", "head=pooled"
    ),
    "photographs, 64 px, Lite0": ("photographs", *HEAD, "image_size=64"),
    "photographs, 64 px, Lite0, head on the whole activation": (
        "photographs", *HEAD, "image_size=64", "head=flatten", "phases.frozen.epochs=4"
    ),
    "photographs, 96 px, Lite0, hidden layer, batches of 8": (
        "photographs", *HEAD, "image_size=96", "head.hidden=64", "batch_size=8"
    ),
    "digits, 32 px, small EfficientNet from scratch": ("digits", *SCRATCH),
}  # fmt: skip
FAULTS = (
    "none", "scaled twice", "not scaled", "labels shuffled", "rate x 100", "dead network",
)  # fmt: skip
RATES = (1e-3, 1e-2)
"""Learning rates of healthy trials, drawn log-uniformly: what the shipped recipes search."""
SMALLER = {
    # as folder_xception, whose head has a weight for each place of the activation
    "photographs, 64 px, Lite0, head on the whole activation": 0.03,
    # in proportion to the batch
    "photographs, 96 px, Lite0, hidden layer, batches of 8": 0.25,
}
"""Where healthy rates are lower, by this factor."""


def images_of(data: str, side: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """``[n, side, side, 3]`` whole numbers in [0, 255], and labels ``[n]``."""
    if data == "digits":
        bunch = load_digits()
        small = np.repeat(bunch.images[..., None] * 255 / 16, 3, axis=-1)
        labels = bunch.target.astype(np.int64)
    else:  # which quarter of which of two photographs is it from?
        rng = np.random.default_rng(0)
        crops, named = [], []
        for picture, photograph in enumerate(load_sample_images().images):
            height, width = photograph.shape[0] // 2, photograph.shape[1] // 2
            for quarter in range(4):
                top, left = quarter // 2 * height, quarter % 2 * width
                for _ in range(60):
                    y, x = rng.integers(height - 64), rng.integers(width - 64)
                    crops.append(photograph[top + y : top + y + 64, left + x : left + x + 64])
                    named.append(4 * picture + quarter)
        small, labels = np.array(crops), np.array(named, np.int64)
    resized = tf.image.resize(small, (side, side))
    return np.round(resized).astype(np.float32), labels


@dataclass(frozen=True)
class Arrays:
    """A feed of arrays, in place of the product's, whose images come from a source."""

    recipe: Recipe
    model: SplitModel
    train: tuple[NDArray[np.float32], NDArray[np.int64]]
    held_out: tuple[NDArray[np.float32], NDArray[np.int64]]
    classes: int

    @property
    def targets(self) -> Targets:
        return Targets(self.classes, one_logit=False)

    def of(self, _phase: PlannedPhase, _first_step: int) -> Inputs:
        train = self._batches(*self.train, self.recipe.seed)
        return Inputs(self.model, train, self._batches(*self.held_out, None), None, train.steps)

    def _batches(
        self, values: NDArray[np.float32], labels: NDArray[np.int64], seed: int | None
    ) -> Batches:
        targets = np.eye(self.classes, dtype=np.float32)[labels]
        source = tf.data.Dataset.from_tensor_slices((values, targets))
        size, count = self.recipe.batch_size, len(labels)

        def epoch(number: object) -> tf.data.Dataset:
            return shuffled(source, count, seed, number).batch(size)

        return Batches(labels, count, math.ceil(count / size), epoch)


class Combination:
    """Trials of one data set, size, backbone and head."""

    def __init__(self, data: str, *overrides: str, slower: float) -> None:
        self._slower = slower
        with initialize_config_dir(str(conf_dir()), version_base="1.3"):
            self.recipe = parse(compose("config", overrides=list(overrides)))
        self.images, self.labels = images_of(data, self.recipe.image_size)
        self.classes = int(self.labels.max()) + 1
        self.scratch = self.recipe.phases.frozen is None
        self._features: dict[str, NDArray[np.float32]] = {}
        self._backbone = None if self.scratch else build_backbone_for(self.recipe)

    def _classifier(self, recipe: Recipe) -> Classifier:
        """That of ``recipe``, with the product's numbers; the backbone is built once."""
        if self._backbone is None:
            return build_classifier_for(recipe, self.classes)
        with numerics.seeded(recipe):
            return attach_head(self._backbone, recipe.head, self.classes)

    def trial(self, fault: str, seed: int, work: Path) -> dict[str, object]:
        """Run one, as the product runs it in a study."""
        rng = np.random.default_rng([seed, 1])
        rate = math.exp(rng.uniform(*map(math.log, RATES))) * self._slower
        rate *= 100 if fault == "rate x 100" else 1
        recipe = _with(self.recipe, seed, rate)
        classifier = self._classifier(recipe)
        labels = rng.permutation(self.labels) if fault == "labels shuffled" else self.labels
        values = self._values(classifier, fault)
        train, held_out = train_test_split(
            np.arange(len(labels)), test_size=0.2, stratify=labels, random_state=0
        )
        if self.scratch:
            model = classifier.split_model(recipe.freeze).thaw()
        else:
            _, model = classifier.split(None) or (None, None)
            assert model is not None
        feed = Arrays(
            recipe, model, (values[train], labels[train]), (values[held_out], labels[held_out]),
            self.classes,
        )  # fmt: skip
        check = LossCheck(recipe.sanity, self.classes)
        epochs: list[Epoch] = []
        recorder = Recorder(NullTracker(), _silent, check, recipe.objectives, True, None)

        def on_epoch(epoch: Epoch) -> None:
            epochs.append(epoch)
            recorder.on_epoch(epoch)

        checkpoint = Checkpoint(work / "none.npz", stage_keys(recipe))
        tune = FineTune(recipe, classifier, feed, checkpoint)  # type: ignore[arg-type]
        with suppress(TrialPruned):
            tune.run(recorder.on_untrained, on_epoch)
        kept = [epoch for epoch in epochs if epoch.kept]
        stages = ("initial", "first epoch", "end")
        excess = math.log(self.classes)
        return {
            "verdict": recorder.verdict.value,
            "stage": stages[min(len(epochs), 2)] if recorder.verdict != "ok" else "",
            "initial": recorder.untrained["loss"] - excess,
            "first": epochs[0].metrics["loss"] - excess if epochs else math.nan,
            "edge": kept[-1].edge if kept else math.nan,
            "rate": rate,
        }

    def _values(self, classifier: Classifier, fault: str) -> NDArray[np.float32]:
        kind = fault if fault in ("scaled twice", "not scaled", "dead network") else "none"
        if kind not in self._features:
            images = self.images / 127.5 - 1 if kind == "scaled twice" else self.images
            if kind == "not scaled":  # the network scales by this
                images = images * 127.5
            if kind == "dead network":
                noise = np.random.default_rng(0).normal(scale=7e-6, size=(len(images), 1, 1, 1))
                images = images[:1] * (1 + noise)
            self._features[kind] = images.astype(np.float32)
            if not self.scratch:
                prefix, _ = classifier.split(None) or (None, None)
                assert prefix is not None
                self._features[kind] = prefix.network.predict(self._features[kind], verbose=0)
        return self._features[kind]


def _with(recipe: Recipe, seed: int, rate: float) -> Recipe:
    phases = {
        name: phase.model_copy(update={"learning_rate": rate}) if phase else None
        for name, phase in (("frozen", recipe.phases.frozen), ("unfrozen", recipe.phases.unfrozen))
    }
    return recipe.model_copy(
        update={"seed": seed, "phases": recipe.phases.model_copy(update=phases)}
    )


def _silent(*_args: object, **_words: object) -> None:
    """No study waits for reports."""


def measured() -> list[dict[str, str]]:
    """What was measured before."""
    if not RESULTS.exists():
        return []
    with RESULTS.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def run(names: Sequence[str], seeds: int, of_faults: int, of_scratch: int) -> None:
    """Run what is missing, a line of the results for each trial."""
    done = {(row["combination"], row["fault"], int(row["seed"])) for row in measured()}
    RESULTS.parent.mkdir(exist_ok=True)
    new = not RESULTS.exists()
    with (
        RESULTS.open("a", newline="", encoding="utf-8") as file,
        tempfile.TemporaryDirectory() as d,
    ):
        writer = csv.DictWriter(file, FIELDS)
        if new:
            writer.writeheader()
        for name in names:
            combination = Combination(*COMBINATIONS[name], slower=SMALLER.get(name, 1.0))
            for fault in FAULTS:
                count = seeds if fault == "none" else of_faults
                if combination.scratch:
                    count = min(count, of_scratch)
                for seed in range(count):
                    if (name, fault, seed) in done:
                        continue
                    found = combination.trial(fault, seed, Path(d))
                    writer.writerow({"combination": name, "fault": fault, "seed": seed, **found})
                    file.flush()
                    tf.keras.backend.clear_session()


def table() -> Iterator[str]:
    """The README's table: alarms of each fault, and the extremes of healthy trials."""
    rows = defaultdict(list)
    for row in measured():
        rows[row["combination"], row["fault"]].append(row)
    yield (
        "| combination | fault | trials | alarms | before training, after an epoch, at the end "
        "| largest initial excess | largest first-epoch excess | smallest edge |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for (name, fault), trials in rows.items():
        alarms = [row for row in trials if row["verdict"] != "ok"]
        stages = [row["stage"] for row in alarms]
        split = [stages.count(stage) for stage in ("initial", "first epoch", "end")]
        numbers = {
            key: [float(row[key]) for row in trials if row[key] not in ("", "nan")]
            for key in ("initial", "first", "edge")
        }
        extremes = [
            max(numbers["initial"], default=math.nan),
            max(numbers["first"], default=math.nan),
            min(numbers["edge"], default=math.nan),
        ]
        yield (
            f"| {name} | {fault} | {len(trials)} | {len(alarms)} "
            f"| {split[0]}, {split[1]}, {split[2]} | "
            + " | ".join(f"{value:.2f}" for value in extremes)
            + " |"
        )


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--of-faults", type=int, default=50)
    parser.add_argument("--of-scratch", type=int, default=50)
    parser.add_argument("--only", nargs="*", default=list(COMBINATIONS))
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    if not arguments.table:
        run(arguments.only, arguments.seeds, arguments.of_faults, arguments.of_scratch)
    print("\n".join(table()))


if __name__ == "__main__":
    main()
