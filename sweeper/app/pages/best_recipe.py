"""``best.yaml``, the best trial's recipe as Hydra runs it, and ``winner.yaml``, its results."""

from collections.abc import Mapping
from functools import reduce
from operator import getitem

import yaml

from sweeper.config import Affects, Recipe, keys_of
from sweeper.disk.files import write_aside
from sweeper.display.confirmed_text import spelled_confirmed
from sweeper.display.wording import command, spelled_values
from sweeper.paths import shown_path
from sweeper.records import StudySummary
from sweeper.study_files.confirmed import ConfirmedTrial
from sweeper.study_files.study_paths import StudyPaths
from sweeper.study_files.trial_paths import TrialPaths


def write_best_recipe(summary: StudySummary, confirmed: ConfirmedTrial | None) -> None:
    """Write the best trial's recipe as a config that Hydra runs: ``--config-name best``.

    ``confirmed`` are its runs with other seeds, None where there are none.
    """
    assert summary.best is not None
    trial, paths = TrialPaths(summary.best.folder), StudyPaths(summary.folder)
    recipe = yaml.safe_load(trial.config.read_text())
    elsewhere = Affects.PLACE | Affects.AFTERWARDS  # that is the reader's matter
    for key in keys_of(Recipe, elsewhere):
        *above, last = key.split(".")
        reduce(getitem, above, recipe).pop(last, None)
    choices = yaml.safe_load(trial.hydra.read_text())["hydra"]["runtime"]["choices"]
    groups = [{f"override {g}": c} for g, c in choices.items() if g in recipe]
    content = {"defaults": ["config", *groups, "_self_"], **recipe}
    again = f"# {spelled_confirmed(confirmed)}\n" if confirmed is not None else ""
    header = (
        f"# {summary.name}: trial {summary.best.number}, the best of {len(summary.rows)}, "
        f"{spelled_values(dict(zip(recipe['objectives'], summary.best.values, strict=True)))}\n"
        f"{again}"
        f"# {command(['--config-dir', str(shown_path(summary.folder)), '--config-name', 'best'])}\n"
    )
    write_aside(paths.best_recipe, header + yaml.safe_dump(content, sort_keys=False))


def write_winner(
    summary: StudySummary,
    results: Mapping[str, float],
    run: str | None,
    confirmed: ConfirmedTrial | None = None,
) -> None:
    """Write what is known of the best trial.

    Args:
        summary: the study; it has a best trial.
        results: of its test and of its kept model, by the names that MLflow has them under.
        run: id of its MLflow run, None where MLflow has not got it yet.
        confirmed: its runs with other seeds, None where there are none.
    """
    assert summary.best is not None
    best, paths = summary.best, StudyPaths(summary.folder)
    of_test = {name: value for name, value in results.items() if name.startswith("test_")}
    if "test_images" in of_test:
        of_test["test_images"] = int(of_test["test_images"])
    inside = best.folder.is_relative_to(summary.folder)
    folder = best.folder.relative_to(summary.folder) if inside else best.folder
    content = {
        "study": summary.name,
        "trial": best.number,
        "params": dict(best.params),
        "validation": dict(zip(summary.value_names, best.values, strict=True)),
        **({"confirmed": _confirmed(confirmed)} if confirmed is not None else {}),
        "model": {name: value for name, value in results.items() if name not in of_test},
        "test": of_test or None,
        "folder": str(folder),
        "mlflow_run": run,
    }
    header = (
        "# The best trial. validation: what the search measured; confirmed: the mean of its runs\n"
        "# with other seeds, by which it was chosen; model: the kept model, measured again on the\n"
        "# validation images; test: images that no trial has seen, accuracy with its 95 %\n"
        "# interval.\n"
        f"# {command(['--config-dir', str(shown_path(summary.folder)), '--config-name', 'best'])}\n"
    )
    write_aside(paths.winner, header + yaml.safe_dump(content, sort_keys=False))


def _confirmed(trial: ConfirmedTrial) -> dict[str, object]:
    means: dict[str, object] = {}
    for name, figure in trial.means.items():
        means |= {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
    return {**means, "seeds": [run.seed for run in trial.runs if run.figures]}
