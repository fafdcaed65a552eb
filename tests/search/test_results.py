from pathlib import Path

import pytest
import yaml
from search.studies import a_study, finish

from sweeper.errors import ConfigError
from sweeper.search.results import read_best, write_results
from sweeper.search.status import StudyStatus


def written(study: object, folder: Path) -> object:
    status = StudyStatus(study, folder)  # type: ignore[arg-type]
    status.refresh()
    path = folder / "deep" / "optimization_results.yaml"
    write_results(status.summary(), path)
    return yaml.safe_load(path.read_text())


def test_one_objective_has_a_best_trial(tmp_path: Path) -> None:
    study = a_study()
    finish(study, 0.5)
    best = finish(study, 0.75)
    finish(study, None, "PRUNED")
    assert written(study, tmp_path) == {
        "name": "optuna",
        "best_params": study.trials[best].params,
        "best_value": 0.75,
        "best_trial": best,
    }


def test_several_objectives_have_solutions(tmp_path: Path) -> None:
    study = a_study(directions=["maximize", "minimize"])
    for values in ((1, 3), (0.5, 4), (2.0, 3.5)):
        finish(study, values)
    finish(study, (9.0, 0.0), too_large=1.0)
    assert written(study, tmp_path) == {
        "name": "optuna",
        "solutions": [
            {"params": study.trials[number].params, "values": values, "trial": number}
            for number, values in ((0, [1.0, 3.0]), (2, [2.0, 3.5]))
        ],
    }


def test_types_of_parameters_are_kept(tmp_path: Path) -> None:
    study = a_study()
    values = {"text": "1", "none": None, "yes": True, "one": 1, "real": 1.0, "group": "a/b"}
    trial = study.ask()
    for key, value in values.items():
        trial.suggest_categorical(key, [value])
    study.tell(trial, 1.0)
    (results,) = [written(study, tmp_path)]
    assert isinstance(results, dict)
    assert repr(results["best_params"]) == repr(values)


def test_nothing_complete_is_reported_too(tmp_path: Path) -> None:
    study = a_study()
    finish(study, None, "FAIL")
    assert written(study, tmp_path) == {
        "name": "optuna",
        "best_params": {},
        "best_value": None,
        "best_trial": None,
    }
    assert written(a_study(directions=["maximize", "minimize"]), tmp_path) == {
        "name": "optuna",
        "solutions": [],
    }


def test_what_was_written_can_be_tried_first_elsewhere(tmp_path: Path) -> None:
    study = a_study()
    finish(study, 0.5)
    finish(study, 0.9)
    written(study, tmp_path)
    file = tmp_path / "deep" / "optimization_results.yaml"
    assert read_best(file) == [study.best_params]
    two = a_study(directions=["maximize", "minimize"])
    for values in ((1, 3), (0.5, 4), (2.0, 3.5)):
        finish(two, values)
    written(two, tmp_path)
    assert read_best(file) == [two.trials[0].params, two.trials[2].params]


@pytest.mark.parametrize(
    ("content", "printed"),
    [
        (None, "No such file"),
        ("[1, 2", "it is no optimization_results.yaml"),
        ("- 1", "it is no optimization_results.yaml"),
        ("name: optuna", "it is no optimization_results.yaml"),
        ("best_value: null", "no trial of that sweep completed"),
    ],
)
def test_a_file_without_a_best_is_refused(
    tmp_path: Path, content: str | None, printed: str
) -> None:
    file = tmp_path / "results.yaml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError, match=printed) as caught:
        read_best(file)
    assert str(file) in str(caught.value)
