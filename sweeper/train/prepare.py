"""Before the first trial: is everything there that the recipes need, and do they fit it?"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sweeper.config import Recipe
from sweeper.data import sources
from sweeper.errors import ConfigError, MissingInput
from sweeper.models.backbones import build_backbone
from sweeper.models.blocks import find_blocks


def prepare(recipes: Sequence[Recipe]) -> None:
    """Fetch data and weights that ``recipes`` need, each once, and check what only they can tell.

    Raises:
        MissingInput: something is absent and cannot be fetched; the text names all of it.
        ConfigError: a recipe does not fit its data or backbone.
    """
    found = _Findings()
    for dataset in dict.fromkeys(recipe.dataset for recipe in recipes):
        users = [recipe for recipe in recipes if recipe.dataset == dataset]
        with found.collected():
            sources.prepare(dataset)
            n_classes = len(sources.load(dataset).class_names)
            if n_classes != 2 and any(recipe.head.one_logit for recipe in users):
                raise ConfigError([f"head.one_logit needs 2 classes, the data set has {n_classes}"])
    for backbone, size in dict.fromkeys((recipe.backbone, recipe.image_size) for recipe in recipes):
        users = [recipe for recipe in recipes if recipe.backbone == backbone]
        with found.collected():
            _check_blocks(build_backbone(backbone, size, None), users)
    found.raise_if_any()


def _check_blocks(backbone: Any, users: Sequence[Recipe]) -> None:
    total = len(find_blocks(backbone))
    wanted = {recipe.freeze.unfreeze_blocks for recipe in users}
    too_many = sorted(k for k in wanted if isinstance(k, int) and k > total)
    if too_many:
        raise ConfigError(
            [
                f"freeze.unfreeze_blocks must be <= {total}, the number of blocks of "
                f"{backbone.name}, got {k}"
                for k in too_many
            ]
        )


class _Findings:
    """What is missing and what does not fit, until all has been looked at."""

    def __init__(self) -> None:
        self._missing: list[str] = []
        self._faults: list[str] = []

    @contextmanager
    def collected(self) -> Iterator[None]:
        """Keep what is raised within, and go on after it."""
        try:
            yield
        except MissingInput as error:
            self._missing.append(str(error))
        except ConfigError as error:
            self._faults += error.faults

    def raise_if_any(self) -> None:
        """Raise all that was kept, as one error."""
        if self._missing:
            raise MissingInput("\n".join([*self._missing, *self._faults]))
        if self._faults:
            raise ConfigError(self._faults)
