import io
import math
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from sweeper.pictures import confusion_matrix
from sweeper.pictures import curves as module
from sweeper.pictures.curves import save_curves
from sweeper.pictures.samples import save_samples

LN_10 = math.log(10)
LONG_NAMES = [f"n0{2085620 + i}-rather_long_name_of_breed_{i}" for i in range(120)]


def read(path: Path) -> np.ndarray[Any, np.dtype[np.int64]]:
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(np.int64)


def near(picture: np.ndarray[Any, Any], colour: tuple[int, int, int]) -> int:
    """Number of pixels that have about this colour."""
    return int((np.abs(picture - colour).max(axis=-1) <= 12).sum())


def epochs(phases: list[float], **changed: list[float]) -> list[Mapping[str, float]]:
    made = [
        {"step": step, "phase": phase}
        | {"loss": 2 / (1 + step), "val_loss": 2.2 / (1 + step)}
        | {"accuracy": 1 - 0.6 / (1 + step), "val_accuracy": 1 - 0.7 / (1 + step)}
        for step, phase in enumerate(phases)
    ]
    for key, values in changed.items():
        for epoch, value in zip(made, values, strict=True):
            epoch[key] = value
    return made


@pytest.fixture
def curves(tmp_path: Path) -> Callable[..., np.ndarray[Any, Any]]:
    def draw(shown: list[Mapping[str, float]], title: str = "trial 3", ln: float = LN_10) -> Any:
        save_curves(tmp_path / "curves.png", shown, title, ln)
        return read(tmp_path / "curves.png")

    return draw


TRAIN, VALIDATION = (0, 114, 178), (213, 94, 0)


def test_curves_of_two_phases(curves: Callable[..., Any], tmp_path: Path) -> None:
    picture = curves(epochs([0, 0, 0, 1, 1]))
    height, width, _ = picture.shape
    assert width > 2 * height
    assert (tmp_path / "curves.png").stat().st_size < 300_000
    for half in (picture[:, : width // 2], picture[:, width // 2 :]):
        assert near(half, TRAIN) > 100
        assert near(half, VALIDATION) > 100


def test_the_border_between_the_phases_is_drawn_only_where_there_is_one(
    curves: Callable[..., Any],
) -> None:
    frozen, unfrozen = curves(epochs([0, 0, 0, 0])), curves(epochs([1, 1, 1, 1]))
    assert np.array_equal(frozen, unfrozen)
    early, late = curves(epochs([0, 1, 1, 1])), curves(epochs([0, 0, 0, 1]))
    assert near(early, (115, 115, 115)) > near(frozen, (115, 115, 115)) + 200
    assert not np.array_equal(early, late)


def test_the_loss_of_an_even_guess_is_a_line_in_the_loss_panel_only(
    curves: Callable[..., Any],
) -> None:
    picture = curves(epochs([0, 0, 0]))
    middle = picture.shape[1] // 2
    grey = np.abs(picture - 115).max(axis=-1) <= 40
    # dots along one row of pixels, where a letter of a label has a few pixels
    assert grey[:, middle:].sum(axis=1).max() > 60
    assert grey[:, :middle].sum(axis=1).max() < 40


def test_one_epoch_shows_markers(curves: Callable[..., Any]) -> None:
    one = curves(epochs([0]))
    none = curves(epochs([0], accuracy=[math.nan], loss=[math.nan]))
    # the legend alone has a line and a marker of the colour
    assert near(one, TRAIN) >= near(none, TRAIN) + 40


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_leaves_a_gap(curves: Callable[..., Any], bad: float) -> None:
    whole = curves(epochs([0] * 5))
    gap = curves(epochs([0] * 5, loss=[2.0, 1.0, bad, bad, 0.4]))
    nothing = curves(epochs([0] * 5, loss=[bad] * 5, val_loss=[bad] * 5))
    assert near(whole, TRAIN) > near(gap, TRAIN) > near(nothing, TRAIN) > 0


def test_curves_need_an_epoch(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="after the first epoch"):
        save_curves(tmp_path / "curves.png", [], "trial 3", LN_10)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def panels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Panels of accuracy and loss as they are drawn."""
    write = module.write_figure
    figures: list[Any] = []
    monkeypatch.setattr(
        module,
        "write_figure",
        lambda figure, path: (figures.append(figure), write(figure, path)),
    )

    def draw(shown: list[Mapping[str, float]]) -> list[Any]:
        save_curves(tmp_path / "curves.png", shown, "trial 3", LN_10)
        return list(figures[-1].axes)

    return draw


NEAR_ONE = st.floats(0.97, 1.0)
HIGH_LOSS = st.floats(1e4, 1e9) | st.floats(2.2, 2.4)


@given(values=st.lists(st.tuples(NEAR_ONE, HIGH_LOSS), min_size=1, max_size=3))
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_ticks_are_whole_numbers_and_nothing_is_to_be_added(
    values: list[tuple[float, float]], panels: Callable[..., list[Any]]
) -> None:
    shown = epochs([0] * len(values))
    for epoch, (accuracy, loss) in zip(shown, values, strict=True):
        epoch |= {"accuracy": accuracy, "val_accuracy": accuracy, "loss": loss, "val_loss": loss}
    for axes in panels(shown):
        assert axes.yaxis.get_offset_text().get_text() == ""
        for tick, label in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True):
            assert float(label.get_text().replace("\N{MINUS SIGN}", "-")) == pytest.approx(
                tick, rel=1e-4, abs=1e-9
            )


def test_noise_is_no_cliff(panels: Callable[..., list[Any]]) -> None:
    noise = [LN_10, LN_10 + 0.001, LN_10 - 0.001]
    flat = {"loss": noise, "val_loss": noise, "accuracy": [0.1, 0.1005, 0.1]}
    accuracy, loss = panels(epochs([0, 0, 0], **flat, val_accuracy=[0.1] * 3))
    assert np.ptp(accuracy.get_ylim()) > 0.0999
    assert np.ptp(loss.get_ylim()) > 0.1999
    low, high = loss.get_ylim()
    assert low < min(noise) < max(noise) < high


@pytest.mark.parametrize("value", [0.0, 0.001, 0.5, 0.999, 1.0])
def test_an_axis_of_accuracy_ends_where_accuracies_do(
    value: float, panels: Callable[..., list[Any]]
) -> None:
    same = [value] * 2
    axes = panels(epochs([0, 0], accuracy=same, val_accuracy=same))[0]
    low, high = axes.get_ylim()
    assert -0.021 <= low < value < high <= 1.021
    assert high - low >= 0.0999


METRIC = st.floats(-1e30, 1e30) | st.sampled_from([math.nan, math.inf, -math.inf])


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(
    values=st.lists(st.tuples(METRIC, METRIC, st.sampled_from([0, 1])), min_size=1, max_size=5),
    title=st.text(st.characters(codec="ascii"), max_size=300),
)
def test_any_measurement_can_be_drawn(
    values: list[tuple[float, float, int]], title: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shown = [
        {"step": s, "loss": a, "val_loss": b, "accuracy": b, "val_accuracy": a, "phase": p}
        for s, (a, b, p) in enumerate(values)
    ]
    path = tmp_path_factory.mktemp("plots") / "curves.png"
    save_curves(path, shown, "".join(c for c in title if c.isprintable()), LN_10)
    assert read(path).shape[1] > 1000


def plain(colours: list[tuple[int, int, int]], side: int = 32) -> np.ndarray[Any, Any]:
    return np.stack([np.full((side, side, 3), colour) for colour in colours])


RED, GREEN, BLUE = (220, 20, 20), (20, 180, 20), (20, 20, 220)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "int64"])
def test_samples_keep_their_colours(tmp_path: Path, dtype: str) -> None:
    images = plain([RED, GREEN, BLUE]).astype(dtype)
    save_samples(tmp_path / "samples.png", images, [0, 1, 1], ["cat", "$d_o^g"])
    picture = read(tmp_path / "samples.png")
    counts = [near(picture, colour) for colour in (RED, GREEN, BLUE)]
    assert min(counts) > 150**2
    assert max(counts) < 1.03 * min(counts)
    for colour in (RED, GREEN, BLUE):  # to the last bit
        assert (picture == colour).all(axis=-1).sum() > 150**2
    first = [np.argwhere(np.abs(picture - c).max(axis=-1) <= 12)[0, 1] for c in (RED, GREEN, BLUE)]
    assert first == sorted(first)


@pytest.mark.slow
def test_samples_are_nine_at_most_and_named(tmp_path: Path) -> None:
    images = plain([RED] * 9 + [BLUE] * 3)
    path = tmp_path / "samples.png"
    save_samples(path, images, range(12), LONG_NAMES)
    nine = read(path)
    assert near(nine, RED) > 9 * 150**2
    assert not near(nine, BLUE)
    save_samples(path, images, range(12), list(reversed(LONG_NAMES)))
    assert not np.array_equal(nine, read(path))


@pytest.mark.slow
def test_photographs_stay_small(tmp_path: Path) -> None:
    from sklearn.datasets import load_sample_image

    photo = load_sample_image("china.jpg")
    crops = np.stack([photo[i * 20 : i * 20 + 224, i * 40 : i * 40 + 224] for i in range(9)])
    save_samples(tmp_path / "samples.png", crops, range(9), LONG_NAMES)
    assert (tmp_path / "samples.png").stat().st_size < 600_000
    with Image.open(tmp_path / "samples.png") as image:
        assert image.mode == "RGB"
        assert len(np.unique(np.asarray(image).reshape(-1, 3), axis=0)) > 10_000


@pytest.mark.parametrize("shape", [(0, 8, 8, 3), (8, 8, 3), (2, 8, 8, 1)])
def test_samples_of_a_wrong_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"images must be .*got shape \[") as caught:
        save_samples(tmp_path / "samples.png", np.zeros(shape), [0, 0], ["cat"])
    assert str(list(shape)) in str(caught.value)


def test_samples_without_labels(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="shorter"):
        save_samples(tmp_path / "samples.png", plain([RED, BLUE]), [0], ["cat"])


def confusion(
    path: Path, names: list[str], per_class: int = 5, wrong: int = 0
) -> np.ndarray[Any, Any]:
    truth = np.repeat(np.arange(len(names)), per_class)
    predicted = truth.copy()
    predicted[:wrong] = (predicted[:wrong] + 1) % len(names)
    confusion_matrix.save_confusion_matrix(path, truth, predicted, names)
    return read(path)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 10, 120])
def test_confusion_matrix_grows_with_the_classes(tmp_path: Path, count: int) -> None:
    path = tmp_path / "confusion_matrix.png"
    picture = confusion(path, LONG_NAMES[:count])
    height, width, _ = picture.shape
    assert 500 < height < 1800
    assert 500 < width < 2500
    assert path.stat().st_size < 500_000


def test_confusion_matrix_has_a_dark_diagonal_and_true_classes_down(tmp_path: Path) -> None:
    path, names = tmp_path / "confusion_matrix.png", ["a", "b"]
    confusion_matrix.save_confusion_matrix(path, [0, 0, 0, 1], [1, 1, 1, 1], names)
    dark = np.argwhere(np.abs(read(path) - (8, 48, 107)).max(axis=-1) <= 12)
    # both true classes were called "b": the dark cells fill the right column
    rows, columns = dark[dark[:, 1] < 560].T
    assert np.ptp(rows) > 380
    assert 200 < np.ptp(columns) < 300
    assert columns.min() > 280


@pytest.mark.slow
def test_counts_are_written_for_few_classes_only(tmp_path: Path) -> None:
    def changes(count: int) -> bool:
        names = [str(i) for i in range(count)]
        few, many = (confusion(tmp_path / "m.png", names, per_class=n) for n in (2, 4))
        below_title = slice(40, None)
        return bool((np.abs(few - many)[below_title] > 60).any())

    assert changes(20)
    assert not changes(21)


@pytest.mark.slow
def test_one_mistake_in_seventy_can_be_seen_among_many_classes(tmp_path: Path) -> None:
    names = LONG_NAMES[:60]
    right = confusion(tmp_path / "m.png", names, per_class=70)
    wrong = confusion(tmp_path / "m.png", names, per_class=70, wrong=1)
    changed = np.abs(right - wrong)[40:].max(axis=-1) > 15
    assert changed.sum() > 100


def test_names_are_thinned_when_they_would_overlap() -> None:
    for count in (1, 10, 120, 121, 400, 1000):
        names = confusion_matrix._Names.along(72 * 12, [f"class {i}" for i in range(count)])
        assert names.pitch > names.font
        assert len(names.texts) == math.ceil(count / names.every)
        assert (names.every == 1) == (count <= 130)


@pytest.mark.parametrize(
    ("truth", "predicted", "fault"),
    [
        ([0, 1], [0], "must both be"),
        ([0, 2], [0, 1], "truth must hold indices of 2 class names, got 0 to 2"),
        ([0, 1], [0, -1], "predicted must hold indices of 2 class names, got -1 to 0"),
    ],
)
def test_confusion_matrix_of_wrong_labels(
    tmp_path: Path, truth: list[int], predicted: list[int], fault: str
) -> None:
    with pytest.raises(ValueError, match=fault):
        confusion_matrix.save_confusion_matrix(tmp_path / "m.png", truth, predicted, ["a", "b"])


def test_names_are_no_formulas(tmp_path: Path, curves: Callable[..., Any]) -> None:
    names = [r"$\nonsense{$", "$x$"]
    save_samples(tmp_path / "samples.png", plain([RED, BLUE]), [0, 1], names)
    confusion_matrix.save_confusion_matrix(tmp_path / "m.png", [0, 1], [0, 1], names)
    assert curves(epochs([0]), title=names[0]).size


SCRIPTS = ["狗", "猫と犬", "собака", "เสือ", "کتاب", "🐶 dog", "größe", "a\udcffb", "\x07", "_", ""]


@pytest.mark.slow
def test_names_of_any_script_can_be_drawn(tmp_path: Path, curves: Callable[..., Any]) -> None:
    names = [*SCRIPTS, *map(str, range(12))]
    labels = list(range(9))
    save_samples(tmp_path / "samples.png", plain([RED] * 9), labels, names)
    for count in (len(SCRIPTS), len(names)):  # without and with the table of pairs
        wrong = [*labels[1:], 0]
        confusion_matrix.save_confusion_matrix(tmp_path / "m.png", labels, wrong, names[:count])
    assert curves(epochs([0]), title="狗: \udcff $x").size


@pytest.mark.slow
def test_confused_classes_stand_beside_a_matrix_of_many_only(tmp_path: Path) -> None:
    few, many = (confusion(tmp_path / "m.png", LONG_NAMES[:count]) for count in (20, 21))
    assert many.shape[1] > few.shape[1] + 500
    right, wrong = (
        confusion(tmp_path / "m.png", LONG_NAMES[:21], wrong=count)[:, few.shape[1] :]
        for count in (0, 3)
    )
    assert (right != wrong).any()


def test_confusion_matrix_of_no_images(tmp_path: Path) -> None:
    confusion_matrix.save_confusion_matrix(tmp_path / "m.png", [], [], ["a", "b"])
    assert read(tmp_path / "m.png").size


def test_pyplot_and_tensorflow_stay_out(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from sweeper.pictures import confusion_matrix\n"
        "assert 'matplotlib' not in sys.modules\n"
        "confusion_matrix.save_confusion_matrix(pathlib.Path(sys.argv[1]), [0], [0], ['a'])\n"
        "assert not {'matplotlib.pyplot', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "m.png")], check=True)
