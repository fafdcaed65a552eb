"""``sweeper compare``: winners side by side on the same images, and what is refused."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import yaml
from entry import run
from hypothesis import given
from hypothesis import strategies as st
from made_studies import Made

from sweeper.comparing.comparability import shared_images
from sweeper.comparing.comparison_page import write_comparison
from sweeper.comparing.differences import behind, differing_keys, ordered
from sweeper.comparing.entrants import TEST, VALIDATION, Entrant, entrant
from sweeper.errors import ConfigError, MissingInput
from sweeper.report.reader import StudyReader
from sweeper.study_files import predictions
from sweeper.study_files.result import Status
from sweeper.study_files.study_paths import StudyPaths

RIGHT = [True] * 80 + [False] * 20


def study(folder: Path, right: list[bool] | None = None, **others: object) -> Made:
    """A study of one trial, tested where ``right`` is given."""
    made = Made(folder, **others)  # type: ignore[arg-type]
    made.add(params={"optimizer.learning_rate": 1e-3})
    if right is not None:
        made.test(0, right)
    return made


def winner_of(made: Made) -> Entrant:
    return entrant(StudyReader(made.folder), made.folder.name)


def change_recipe(made: Made, **changes: object) -> None:
    file = made.folder / "trials" / "0000" / "config.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **changes}))


def test_the_better_one_is_ahead_by_the_images_that_it_alone_gets_right(tmp_path: Path) -> None:
    one = winner_of(study(tmp_path / "one", RIGHT))
    two = winner_of(study(tmp_path / "two", [True] * 70 + [False] * 30))
    assert shared_images([one, two]) == TEST
    assert [each.name for each in ordered([two, one], TEST)] == ["one", "two"]
    difference = behind(one, two, TEST)
    assert difference.accuracy.value == pytest.approx(0.1)
    assert difference.accuracy.low is not None
    assert 0 < difference.accuracy.low < 0.1
    assert not difference.tied
    assert difference.log_loss.value > 0
    assert one.images[TEST].accuracy.value == pytest.approx(0.8)


def test_a_difference_of_one_image_may_be_chance(tmp_path: Path) -> None:
    one = winner_of(study(tmp_path / "one", RIGHT))
    two = winner_of(study(tmp_path / "two", [True] * 79 + [False] * 21))
    assert behind(one, two, TEST).tied


@given(order=st.permutations(range(12)), right=st.lists(st.booleans(), min_size=12, max_size=12))
def test_images_are_compared_by_their_names_whatever_their_order(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], right: list[bool]
) -> None:
    folder = tmp_path_factory.mktemp("studies")
    one, two = study(folder / "one", right), study(folder / "two")
    two.test(0, right, order)
    first, second = winner_of(one), winner_of(two)
    assert shared_images([first, second]) == TEST
    assert behind(first, second, TEST).accuracy.value == 0


def test_without_a_test_the_validation_images_are_compared(tmp_path: Path) -> None:
    tested, other = study(tmp_path / "one", RIGHT), study(tmp_path / "two")
    assert shared_images([winner_of(tested), winner_of(other)]) == VALIDATION


def test_other_images_are_refused_with_the_keys_that_make_them_so(tmp_path: Path) -> None:
    one, two = study(tmp_path / "one", RIGHT), study(tmp_path / "two", RIGHT + [True] * 5)
    change_recipe(two, seed=3)
    with pytest.raises(ConfigError) as caught:
        shared_images([winner_of(one), winner_of(two)])
    (fault,) = caught.value.faults
    assert fault == (
        "one and two cannot be compared: one has 100 test images, two 105, and 100 are in both; "
        "their recipes differ in seed"
    )


def test_other_classes_and_other_labels_are_refused(tmp_path: Path) -> None:
    one = study(tmp_path / "one", RIGHT)
    two = study(tmp_path / "two", RIGHT, class_names=["cat", "dog", "fox"])
    three = study(tmp_path / "three", RIGHT)
    file = tmp_path / "three" / "trials" / "0000" / "test_predictions.npz"
    known = predictions.load(file)
    assert known is not None
    labels = np.where(np.arange(100) < 4, (known.labels + 1) % 3, known.labels)
    predictions.save(file, dataclasses.replace(known, labels=labels))
    with pytest.raises(ConfigError) as caught:
        shared_images([winner_of(made) for made in (one, two, three)])
    assert caught.value.faults == (
        "one and two cannot be compared: other classes, 'hen' and 'fox'",
        "one and three cannot be compared: 4 test images have other labels",
    )


def test_keys_with_other_values(tmp_path: Path) -> None:
    one, two = study(tmp_path / "one"), study(tmp_path / "two")
    change_recipe(two, batch_size=7, name="another", keep_weights=2)
    assert differing_keys([winner_of(one), winner_of(two)]).keys() == {"batch_size"}


def test_a_study_without_a_winner_is_refused(tmp_path: Path) -> None:
    made = Made(tmp_path / "one")
    made.add(Status.FAILED, reason="no memory")
    with pytest.raises(MissingInput, match="study one has no complete trial"):
        winner_of(made)


def test_the_command_says_all_faults_at_once(tmp_path: Path) -> None:
    Made(tmp_path / "experiments" / "empty")
    ended = run(tmp_path, "compare", "empty", "nowhere")
    assert ended.code == 2
    assert "study empty has no complete trial" in ended.screen
    assert "there is no study 'nowhere'" in ended.screen
    assert run(tmp_path, "compare", "empty").code == 2


def test_the_command_shows_a_table_and_writes_a_page(tmp_path: Path) -> None:
    for name, right in (("one", RIGHT), ("two", [True] * 60 + [False] * 40)):
        study(tmp_path / "experiments" / name, right)
    change_recipe(Made(tmp_path / "experiments" / "two"), batch_size=7)
    ended = run(tmp_path, "compare", "two", "experiments/one")
    assert ended.code == 0, ended.screen
    assert "Compared on the 100 test images, which no search has seen." in ended.screen
    assert "0.2000 (0.1" in ended.screen
    assert "batch_size" in ended.screen
    page = (tmp_path / "comparisons" / "two-one.html").read_text()
    assert "experiments/one is best: accuracy 0.8000" in page


def test_the_page_of_three_studies(tmp_path: Path) -> None:
    made = [study(tmp_path / name, RIGHT) for name in ("one", "two", "<b>three</b>")]
    entrants = ordered([winner_of(one) for one in made], TEST)
    file = tmp_path / "page.html"
    write_comparison(entrants, TEST, file)
    page = file.read_text()
    assert "may be chance" in page
    assert "<b>three" not in page
    assert "The recipes of the winners are the same." in page
    assert not StudyPaths(made[0].folder).report.exists()
