"""Counts the images of a data set by class and split."""

from pathlib import Path

from sweeper.config import KFold, Recipe
from sweeper.data.examples import Examples, class_counts
from sweeper.data.sources.loading import inspect, load, origin
from sweeper.data.sources.naming import printable
from sweeper.report.data_counts import DataCounts, write_counts
from sweeper.train.folds import splits_of


def save_counts(recipe: Recipe, folder: Path) -> None:
    """Write what the data of ``recipe`` holds to ``folder``.

    Raises:
        SweeperError: the data is not there.
    """
    source = load(recipe.dataset)
    splits = splits_of(source, recipe)
    parts: dict[str, Examples] = {"train": source.train}
    if not isinstance(recipe.validation, KFold):  # else each image of train validates once
        parts = dict(zip(("train", "validation"), splits[0], strict=True))
    if source.test is not None and source.test is not parts.get("validation"):
        parts["test"] = source.test
    classes = len(source.class_names)
    images = {name: class_counts(part.labels, classes).tolist() for name, part in parts.items()}
    inspected = inspect(recipe.dataset)
    broken = [] if inspected is None else [one for part in inspected.found.found for one in part]
    left_out = [(printable(one.name), printable(one.reason)) for one in broken]
    name = printable(str(origin(recipe.dataset)[0]))
    write_counts(folder, DataCounts(name, list(source.class_names), images, left_out))
