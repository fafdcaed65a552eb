"""What MODEL means, and what is said where it means nothing."""

from pathlib import Path

import pytest
from saved.saved_models import saved

from sweeper.errors import MissingInput, SweeperError
from sweeper.saved.reference import find
from sweeper.study_files.result import AboutStudy, AboutTrial, Result, Status, write
from sweeper.study_files.study_paths import StudyPaths
from sweeper.study_files.trial_paths import TrialPaths

STORE = "sqlite:///nowhere.db"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def study(name: str, *values: float | None) -> Path:
    """A study whose trials have these values; one of None was pruned. Models are of the best."""
    folder = Path("experiments") / name
    paths = StudyPaths(folder)
    write(paths.about, AboutStudy(name, "id", ("val_accuracy",), (True,)))
    best = max((value for value in values if value is not None), default=None)
    for number, value in enumerate(values):
        trial = TrialPaths(folder / "trials" / f"{number:04d}")
        write(trial.about, AboutTrial(number, "id", {}, 0.0))
        state = Status.PRUNED if value is None else Status.COMPLETE
        objectives = {} if value is None else {"val_accuracy": value}
        write(trial.result, Result(state, objectives))
        if value == best and value is not None:
            saved(trial.model)
    return folder


@pytest.mark.usefixtures("here")
def test_a_study_means_its_winner_by_name_and_by_folder() -> None:
    folder = study("dogs", 0.5, 0.75, None)
    for model in ("dogs", "experiments/dogs", str(folder.absolute())):
        found = find(model, None, STORE)
        assert found.network.absolute() == (folder / "trials/0001/model.keras").absolute()
        assert found.name == "the winner of dogs (trial 1)"
    assert find("dogs", 1, STORE).name == "trial 1 of dogs (trial 1)"


@pytest.mark.usefixtures("here")
def test_a_file_is_a_model() -> None:
    path = saved(Path("some where/mine.keras"))
    assert find(str(path), None, STORE).network == path
    Path("mine.h5").write_bytes(b"")
    with pytest.raises(MissingInput, match=r"mine\.h5 is a file, but no \.keras file"):
        find("mine.h5", None, STORE)
    with pytest.raises(MissingInput, match="--trial is for the name or the folder of a study"):
        find(str(path), 1, STORE)


@pytest.mark.usefixtures("here")
def test_what_means_nothing_is_named_with_what_is_alike() -> None:
    with pytest.raises(MissingInput, match="no study is here"):
        find("dogs", None, STORE)
    study("dogs", 0.5)
    study("flowers", 0.5)
    with pytest.raises(MissingInput, match=r"no model 'dosg'.*did you mean 'dogs'\?"):
        find("dosg", None, STORE)
    with pytest.raises(MissingInput, match="studies here: dogs, flowers"):
        find("xyz", None, STORE)


@pytest.mark.usefixtures("here")
def test_a_trial_without_a_model_says_why_and_what_to_do() -> None:
    study("dogs", 0.5, 0.75, None)
    with pytest.raises(SweeperError, match=r"trial 0 of study dogs has no model\.keras"):
        find("dogs", 0, STORE)
    with pytest.raises(MissingInput, match="no trial 7 that has ended; it has: 0, 1, 2"):
        find("dogs", 7, STORE)
    study("young")
    with pytest.raises(SweeperError, match="young has no winner yet: no trial is complete"):
        find("young", None, STORE)
