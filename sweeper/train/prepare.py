"""Before the first trial: is everything there that the recipes need, and do they fit it?"""

from collections.abc import Sequence

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
    missing: list[str] = []
    faults: list[str] = []
    for dataset in dict.fromkeys(recipe.dataset for recipe in recipes):
        try:
            sources.prepare(dataset)
            n_classes = len(sources.load(dataset).class_names)
        except MissingInput as error:
            missing.append(str(error))
            continue
        except ConfigError as error:
            faults += error.faults
            continue
        if n_classes != 2 and any(r.head.one_logit for r in recipes if r.dataset == dataset):
            faults.append(f"head.one_logit needs 2 classes, got {n_classes}")
    for backbone in dict.fromkeys(recipe.backbone for recipe in recipes):
        users = [recipe for recipe in recipes if recipe.backbone == backbone]
        try:
            network = build_backbone(backbone, users[0].image_size, None)
        except MissingInput as error:
            missing.append(str(error))
            continue
        except ConfigError as error:
            faults += error.faults
            continue
        n_blocks = len(find_blocks(network))
        for k in {recipe.freeze.unfreeze_blocks for recipe in users} - {"all"}:
            if isinstance(k, int) and k > n_blocks:
                faults.append(
                    f"freeze.unfreeze_blocks must be <= {n_blocks}, the number of blocks of "
                    f"{backbone.name}, got {k}"
                )
    if missing:
        raise MissingInput("\n".join([*missing, *faults]))
    if faults:
        raise ConfigError(faults)
