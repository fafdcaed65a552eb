"""Which images a trial uses for what, as its run records them."""

import hashlib
from collections.abc import Callable

from sweeper.config import Recipe
from sweeper.data.examples import Examples, Source
from sweeper.data.sources.loading import origin
from sweeper.records import DataUse
from sweeper.train.folds import splits_of


def data_uses(source: Source, recipe: Recipe) -> list[DataUse]:
    """The images that train, validate and test; of folds all that train and validate in turn.

    Raises:
        ConfigError: what validates is not there, or has too few images of a class.
        OSError: a file is out of reach.
    """
    splits = splits_of(source, recipe)
    train, validation = splits[0]
    parts = {"training": train, "validation": validation}
    if len(splits) > 1:
        parts = {"training": source.train}
    if source.test is not None:
        parts["test"] = source.test
    name, place = origin(recipe.dataset)
    contents: dict[Callable[[], str], str] = {}
    classes = len(source.class_names)
    return [
        DataUse(name, _digest(examples, contents), purpose, place, len(examples), classes)
        for purpose, examples in parts.items()
    ]


def _digest(examples: Examples, contents: dict[Callable[[], str], str]) -> str:
    """Of images, labels and order. ``contents`` are known ones: one looks at every file."""
    seen = hashlib.blake2b(digest_size=8)
    if examples.content is not None:
        if examples.content not in contents:
            contents[examples.content] = examples.content()
        seen.update(contents[examples.content].encode())
    seen.update(examples.indices.tobytes())
    seen.update(examples.labels.tobytes())
    return seen.hexdigest()
