"""The real loop, on real digits, small and short."""

import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image
from recipes import recipe

from sweeper.config import Recipe
from sweeper.errors import TrialPruned
from sweeper.records import DataUse
from sweeper.study_files.predictions import load as load_predictions
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.track.tracker import of_fold
from sweeper.train.trial import Trial
from sweeper.train.winning_model import keep

DIGITS = (
    "+experiment=digits_lite0",
    "image_size=32",
    "batch_size=128",
    "phases.frozen.epochs=2",
    "phases.unfrozen.epochs=1",
    "freeze.unfreeze_blocks=1",
)
UNCACHED = ("cache.views=0", "cache.budget_gb=0")


class Recorder:
    """A tracker that remembers."""

    def __init__(self) -> None:
        self.metrics: dict[int, dict[str, float]] = {}
        self.tags: dict[str, str] = {}
        self.files: list[str] = []
        self.data: list[DataUse] = []

    def log_params(self, params: Mapping[str, Any]) -> None:
        raise AssertionError("the trial's caller records the parameters")

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        self.metrics.setdefault(step, {}).update(metrics)

    def log_epoch(
        self, metrics: Mapping[str, float], step: int, phase: str, fold: int | None
    ) -> None:
        self.log_metrics(of_fold(metrics, fold), step)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        self.tags.update(tags)

    def log_data(self, data: Sequence[DataUse]) -> None:
        self.data += data

    def log_file(self, path: Path, folder: str) -> None:
        assert path.is_file()
        self.files.append(f"{folder}/{path.name}")


class Run:
    """One trial with all that it printed."""

    def __init__(self, made: Recipe, folder: Path, prune_high: bool = True) -> None:
        self.paths = TrialPaths(folder)
        self.tracker = Recorder()
        self.received: list[tuple[int, str, float]] = []
        self.shown: list[tuple[int, str, float]] = []
        self.value = 0.0
        self.made = made
        self.trial = Trial(made, self.paths, self.tracker, self._on_epoch, prune_high)

    def model(self) -> Any:
        """The whole model, made of what the trial learned and loaded."""
        try:
            keep(self.made, self.paths)
        finally:
            keras.config.set_dtype_policy("float32")
        return keras.models.load_model(self.paths.model)

    def _on_epoch(
        self,
        value: float,
        step: int,
        phase: str,
        metrics: Mapping[str, float],
        *,
        compared: bool,
        steps: int | None,
    ) -> None:
        if compared:
            self.received.append((step, phase, value))
        else:
            self.shown.append((step, phase, value))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = Run(recipe(*DIGITS), tmp_path_factory.mktemp("trial"))
    (run.value,) = run.trial.run()
    return run


def test_every_epoch_is_reported_on_one_axis_across_the_phases(done: Run) -> None:
    assert [(step, phase) for step, phase, _ in done.received] == [
        (0, "frozen"),
        (1, "frozen"),
        (2, "unfrozen"),
    ]
    assert max(value for _, phase, value in done.received if phase == "unfrozen") == done.value


def test_every_epoch_has_every_metric_once(done: Run) -> None:
    expected = {
        "loss",
        "accuracy",
        "val_loss",
        "val_accuracy",
        "learning_rate",
        "epoch_seconds",
        "images_per_second",
        "phase",
    }
    assert sorted(done.tracker.metrics) == [0, 1, 2]
    for metrics in done.tracker.metrics.values():
        assert expected <= set(metrics)
        assert all(math.isfinite(value) for value in metrics.values())
    assert [done.tracker.metrics[step]["phase"] for step in range(3)] == [0, 0, 1]


def test_the_loss_check_is_recorded(done: Run) -> None:
    first, unfrozen = done.tracker.metrics[0], done.tracker.metrics[2]
    assert first["sanity.log_num_classes"] == pytest.approx(math.log(10))
    of_losses = [name for name in first if "loss" in name or "sanity" in name]
    assert of_losses[-1] == "sanity.log_num_classes"  # MLflow opens on what comes first
    assert first["sanity.frozen_first_epoch_loss"] == first["loss"]
    assert unfrozen["sanity.unfrozen_first_epoch_loss"] == unfrozen["loss"]
    assert 1.5 < first["sanity.initial_loss"] < 4.5
    assert 0 <= first["sanity.initial_accuracy"] < 0.4
    assert done.tracker.tags == {"sanity": "ok"}


def test_the_objective_is_a_metric_of_its_own_and_comes_first(done: Run) -> None:
    steps = done.tracker.metrics
    assert all(next(iter(steps[step])) == "best_val_accuracy" for step in steps)
    frozen = [steps[step]["val_accuracy"] for step in (0, 1)]
    assert steps[1]["best_val_accuracy"] == max(frozen)
    assert steps[2]["best_val_accuracy"] == done.value


@pytest.mark.slow
def test_what_an_earlier_run_left_in_the_folder_is_not_used(tmp_path: Path, done: Run) -> None:
    short = ("phases.frozen.epochs=1", "phases.unfrozen=null", "sanity.initial_excess=1e-6")
    for part in ("plots", "model.keras", "learned.npz", "learned.fold0.npz"):
        source = done.paths.folder / part
        if source.is_dir():
            shutil.copytree(source, tmp_path / part)
        else:
            (tmp_path / part).write_bytes(b"of an earlier run")
    run = Run(recipe(*DIGITS, *short), tmp_path)
    with pytest.raises(TrialPruned):
        run.trial.run()
    assert not run.paths.model.exists()
    assert not list(tmp_path.glob("*.npz"))
    assert run.tracker.files == ["plots/augmented.png", "plots/samples.png"]


def test_it_learns(done: Run) -> None:
    assert done.value > 0.4  # chance is 0.1


def test_pictures_are_drawn_and_recorded(done: Run) -> None:
    names = ["augmented", "confusion_matrix", "curves", "samples"]
    assert done.tracker.files == [f"plots/{name}.png" for name in names]
    for name in names:
        with Image.open(done.paths.plots / f"{name}.png") as image:
            image.verify()


@pytest.mark.more
@pytest.mark.slow
def test_the_saved_model_is_the_one_that_was_judged(tmp_path: Path, done: Run) -> None:
    from sweeper.data.sources.loading import load
    from sweeper.data.splits import split_validation
    from sweeper.train.evaluation import evaluation_batches
    from sweeper.train.final_test import evaluate

    made = recipe(*DIGITS, *UNCACHED)
    run = Run(made, tmp_path)
    (value,) = run.trial.run()
    _, held_out = split_validation(
        load(made.dataset).train, made.dataset.validation_fraction, made.dataset.split_seed
    )
    again = evaluate(run.model(), evaluation_batches(held_out, made, 10))
    assert again["test_accuracy"] == pytest.approx(value)
    # kept features are in half precision: one in 288 may tip over
    cached = evaluate(done.model(), evaluation_batches(held_out, made, 10))
    assert cached["test_accuracy"] == pytest.approx(done.value, abs=1.5 / len(held_out))


@pytest.mark.more
@pytest.mark.slow
def test_a_diverging_trial_ends_as_nan(tmp_path: Path) -> None:
    run = Run(recipe(*DIGITS, "optimizer=sgd", "optimizer.learning_rate=1e38"), tmp_path, False)
    with pytest.raises(TrialPruned, match=r"loss of the first frozen epoch is (nan|inf)"):
        run.trial.run()
    assert run.tracker.tags["sanity"] == "nan"
    assert "plots/curves.png" in run.tracker.files
    assert len(run.received) == 1


def test_a_high_loss_prunes_in_a_study(tmp_path: Path) -> None:
    run = Run(recipe(*DIGITS, "sanity.initial_excess=1e-6"), tmp_path)
    with pytest.raises(TrialPruned, match=r"initial loss .* above ln\(classes\) 2.303"):
        run.trial.run()
    assert run.tracker.tags["sanity"] == "high"
    assert run.received == []


@pytest.mark.more
@pytest.mark.slow
def test_a_trial_is_judged_by_what_the_recipe_names(tmp_path: Path) -> None:
    short = ("phases.frozen.epochs=1", "phases.unfrozen=null")
    names = "objectives=[val_loss,parameters,milliseconds_per_image,val_accuracy]"
    run = Run(recipe(*DIGITS, *short, names), tmp_path)
    loss, parameters, milliseconds, accuracy = run.trial.run()
    assert run.received == [(0, "frozen", loss)]
    last = run.tracker.metrics[0]
    assert (last["val_loss"], last["val_accuracy"]) == (loss, accuracy)
    assert last["parameters"] == parameters == run.model().count_params()
    assert last["milliseconds_per_image"] == milliseconds > 0


@pytest.mark.more
@pytest.mark.slow
def test_a_high_loss_is_a_warning_to_a_person(tmp_path: Path) -> None:
    short = ("phases.frozen.epochs=1", "phases.unfrozen=null", "sanity.initial_excess=1e-6")
    run = Run(recipe(*DIGITS, *short), tmp_path, prune_high=False)
    run.trial.run()
    assert run.tracker.tags["sanity"] == "high"
    assert "above ln(classes)" in run.tracker.tags["sanity.reason"]
    assert len(run.received) == 1


@pytest.mark.slow
@pytest.mark.more
def test_two_classes_may_share_one_logit(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0)
    for split in ("train", "test"):
        for index, name in enumerate(("dark", "light")):
            folder = tmp_path / "images" / split / name
            folder.mkdir(parents=True)
            for image in range(12):
                pixels = numbers.integers(120 * index, 120 * index + 100, (40, 36, 3))
                Image.fromarray(pixels.astype("uint8")).save(folder / f"{image}.png")
    made = recipe(
        "backbone=mobilenet_v2",
        "backbone.weights=null",
        "dataset=folder",
        f"dataset.path={tmp_path}/images",
        "image_size=32",
        "batch_size=8",
        "head.one_logit=true",
        "phases.frozen.epochs=1",
        "phases.unfrozen.epochs=1",
    )
    run = Run(made, tmp_path / "trial", prune_high=False)
    run.trial.run()
    assert run.tracker.metrics[0]["sanity.log_num_classes"] == pytest.approx(math.log(2))
    model = run.model()
    predicted = load_predictions(run.paths.predictions)
    assert predicted is not None
    assert (predicted.logits.argmax(axis=1) == predicted.probabilities.argmax(axis=1)).all()
    assert {one.partition("/")[0] for one in predicted.ids.tolist()} == {"train"}
    assert all((tmp_path / "images" / one).is_file() for one in predicted.ids.tolist())
    probabilities = model.predict(np.zeros((3, 32, 32, 3), "float32"), verbose=0)
    assert probabilities.shape == (3, 2)
    assert probabilities.sum(axis=1) == pytest.approx(1)


@pytest.mark.more
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_trains_and_keeps_float32_probabilities(
    tmp_path: Path, precision: str
) -> None:
    short = ("phases.frozen.epochs=1", f"precision={precision}")
    run = Run(recipe(*DIGITS, *short), tmp_path)
    try:
        assert run.trial.run()[0] > 0.2  # chance is 0.1
    finally:
        keras.config.set_dtype_policy("float32")
    model = run.model()
    probabilities = model.predict(np.zeros((2, 32, 32, 3), "float32"), verbose=0)
    assert probabilities.dtype == np.float32
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_what_it_predicts_for_validation_is_kept_with_the_images(done: Run) -> None:
    from sweeper.data.sources.loading import load
    from sweeper.train.folds import splits_of

    found = load_predictions(done.paths.predictions)
    assert found is not None
    ((_, held_out),) = splits_of(load(done.made.dataset), done.made)
    assert found.ids.tolist() == [str(place) for place in held_out.indices]
    assert found.labels.tolist() == held_out.labels.tolist()
    assert (found.probabilities.argmax(axis=1) == found.labels).mean() == pytest.approx(done.value)
    assert found.probabilities.dtype == found.logits.dtype == np.float16
    assert found.logits.shape == found.probabilities.shape == (len(held_out), 10)
    exact = np.exp(found.logits.astype(float))
    exact /= exact.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.probabilities, exact, atol=2e-3)
    assert found.class_names.tolist() == [str(digit) for digit in range(10)]


def test_a_finished_trial_leaves_no_checkpoint(done: Run) -> None:
    assert done.paths.checkpoints == []


def test_the_images_that_it_uses_are_recorded(done: Run) -> None:
    assert [(use.name, use.purpose, use.images, use.classes) for use in done.tracker.data] == [
        ("digits", "training", 1150, 10),
        ("digits", "validation", 288, 10),
        ("digits", "test", 359, 10),
    ]


@pytest.mark.more
@pytest.mark.slow
def test_folds_are_trained_one_by_one_and_their_mean_counts(tmp_path: Path) -> None:
    short = ("phases.frozen.epochs=2", "phases.unfrozen=null", "validation=kfold", *UNCACHED)
    run = Run(recipe(*DIGITS, *short, "validation.folds=2"), tmp_path)
    (value,) = run.trial.run()
    assert [(step, phase) for step, phase, _ in run.received] == [
        (0, "fold"),
        (1, "fold"),
    ]
    assert [(use.purpose, use.images) for use in run.tracker.data] == [
        ("training", 1438),
        ("test", 359),
    ]
    assert next(iter(run.tracker.metrics[0])) == "best_val_accuracy"
    per_fold = [value for _, _, value in run.received]
    assert value == pytest.approx(np.mean(per_fold))
    assert len(run.shown) == 4
    for step in range(2):
        metrics = run.tracker.metrics[step]
        folds = [metrics[f"fold{fold}/val_loss"] for fold in range(2)]
        assert len(set(folds)) == 2
        assert metrics["val_loss"] == pytest.approx(np.mean(folds))
    assert metrics["best_val_accuracy"] == value
    # the model that is kept is of the fold nearest to the mean
    typical = int(np.argmin(np.abs(np.array(per_fold) - np.mean(per_fold))))
    from sweeper.data.sources.loading import load
    from sweeper.train.evaluation import evaluation_batches
    from sweeper.train.final_test import evaluate
    from sweeper.train.folds import splits_of

    made = recipe(*DIGITS, *short, "validation.folds=2")
    found = run.model()
    _, held_out = splits_of(load(made.dataset), made)[typical]
    again = evaluate(found, evaluation_batches(held_out, made, 10))
    assert again["test_accuracy"] == pytest.approx(per_fold[typical])
    assert sorted(path.name for path in run.paths.folder.glob("*.npz")) == [
        "learned.npz",
        "predictions.npz",
    ]
    # each image is predicted once, by the fold that did not train on it
    found = load_predictions(run.paths.predictions)
    assert found is not None
    source = load(made.dataset).train
    assert sorted(found.ids.tolist()) == sorted(str(place) for place in source.indices)
    labels = dict(zip(map(str, source.indices), source.labels, strict=True))
    assert found.labels.tolist() == [labels[one] for one in found.ids]
    right = found.probabilities.argmax(axis=1) == found.labels
    # in half precision two classes may be equally probable
    few = 2 / min(np.bincount(found.fold))
    shares = [right[found.fold == fold].mean() for fold in range(2)]
    assert shares == pytest.approx(per_fold, abs=few)


@pytest.mark.slow
@pytest.mark.more
def test_a_trial_that_is_pruned_between_folds_is_ranked_by_those_it_has(tmp_path: Path) -> None:
    short = ("phases.frozen.epochs=1", "phases.unfrozen=null", "validation=kfold", *UNCACHED)
    run = Run(recipe(*DIGITS, *short, "validation.folds=3"), tmp_path)

    def received(value: float, step: int, *rest: Any, **words: Any) -> None:
        run._on_epoch(value, step, *rest, **words)
        if len(run.received) == 2:
            raise TrialPruned("too slow")

    trial = Trial(
        recipe(*DIGITS, *short, "validation.folds=3"), run.paths, run.tracker, received, True
    )
    with pytest.raises(TrialPruned):
        trial.run()
    per_fold = [value for _, _, value in run.received]
    assert run.tracker.metrics[0]["best_val_accuracy"] == pytest.approx(np.mean(per_fold))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("views", "works"),
    [
        (1, ["computing features", "frozen validation 1", "unfrozen validation 2"]),
        pytest.param(
            0,
            ["frozen epoch 1", "frozen validation 1", "unfrozen epoch 2", "unfrozen validation 2"],
            marks=pytest.mark.more,
        ),
    ],
)
def test_how_far_it_is_is_reported_where_it_computes_for_itself(
    views: int, works: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweeper.train.trial.once_a_second", lambda on_advance: on_advance)
    calls: list[tuple[str, int, int]] = []
    short = ("dataset.fraction=0.2", "batch_size=64", "phases.frozen.epochs=1")
    Trial(
        recipe(*DIGITS, *short, f"cache.views={views}"),
        TrialPaths(tmp_path),
        Recorder(),
        lambda *_report, **_more: None,
        prune_high=True,
        on_advance=lambda *call: calls.append(call),
    ).run()
    assert list(dict.fromkeys(work for work, _, _ in calls)) == ["decoding images", *works]
    for work in works:
        done = [done for one, done, _ in calls if one == work]
        (total,) = {total for one, _, total in calls if one == work}
        assert done == sorted(done)
        # an epoch says so before a step, all others after a batch
        assert 0 < done[-1] < total if " epoch " in work else done[-1] == total


def test_the_test_set_validates_where_the_recipe_says_so(tmp_path: Path) -> None:
    from sweeper.data.sources.loading import load
    from sweeper.train.folds import splits_of

    made = recipe(*DIGITS, "validation=test")
    ((train, held_out),) = splits_of(load(made.dataset), made)
    source = load(made.dataset)
    assert len(train) == len(source.train)
    assert held_out.indices.tolist() == source.test.indices.tolist()


@pytest.mark.slow
@pytest.mark.more
def test_a_trial_that_was_interrupted_says_its_epochs_again(tmp_path: Path, done: Run) -> None:
    class Stop(Exception):
        pass

    first = Run(recipe(*DIGITS), tmp_path)
    on_report = first._on_epoch

    def received(value: float, step: int, *rest: Any, **words: Any) -> None:
        on_report(value, step, *rest, **words)
        if step == 1:
            raise Stop

    first.trial = Trial(recipe(*DIGITS), first.paths, first.tracker, received, True)
    with pytest.raises(Stop):
        first.trial.run()
    assert [path.name for path in first.paths.checkpoints] == ["trial.npz"]
    again = Run(recipe(*DIGITS), tmp_path)
    assert again.trial.run() == (done.value,)
    assert again.received == done.received

    def without_times(metrics: Mapping[str, float]) -> dict[str, float]:
        times = ("epoch_seconds", "images_per_second", "peak_memory_mb", "compute.")
        return {key: value for key, value in metrics.items() if not key.startswith(times)}

    for step, metrics in done.tracker.metrics.items():
        assert without_times(again.tracker.metrics[step]) == without_times(metrics)


@pytest.mark.more
def test_from_scratch_validation_follows_training(tmp_path: Path) -> None:
    small = ("image_size=32", "batch_size=64", "phases.unfrozen.epochs=6")
    run = Run(recipe("+experiment=digits_scratch", *small), tmp_path, prune_high=False)
    assert run.trial.run()[0] > 0.5  # 0.1 while the statistics of BatchNorm lag behind
