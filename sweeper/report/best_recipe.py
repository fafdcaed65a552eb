"""``best.yaml``: the best trial's recipe as a config that Hydra runs."""

import yaml

from sweeper.paths import StudyPaths, TrialPaths, shown_path, write_aside
from sweeper.records import StudySummary
from sweeper.report.wording import command, spelled_values


def write_best_recipe(summary: StudySummary) -> None:
    """Write the best trial's recipe as a config that Hydra runs: ``--config-name best``."""
    assert summary.best is not None
    trial, paths = TrialPaths(summary.best.folder), StudyPaths(summary.folder)
    recipe = yaml.safe_load(trial.config.read_text())
    for key in ("executor", "tracking"):  # where it runs and is recorded is the reader's matter
        del recipe[key]
    choices = yaml.safe_load(trial.hydra.read_text())["hydra"]["runtime"]["choices"]
    groups = [{f"override {g}": c} for g, c in choices.items() if g in recipe]
    content = {"defaults": ["config", *groups, "_self_"], **recipe}
    header = (
        f"# {summary.name}: trial {summary.best.number}, the best of {len(summary.rows)}, "
        f"{spelled_values(dict(zip(recipe['objectives'], summary.best.values, strict=True)))}\n"
        f"# {command(['--config-dir', str(shown_path(summary.folder)), '--config-name', 'best'])}\n"
    )
    write_aside(paths.best_recipe, header + yaml.safe_dump(content, sort_keys=False))
