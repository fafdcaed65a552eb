"""The table of backbones, as ``docs/backbones.md`` has it and ``sweeper backbones`` prints it."""

from collections.abc import Iterator

from omegaconf import OmegaConf

from sweeper import config
from sweeper.paths import conf_dir

HEADER = (
    "| `backbone=` | network | resolution | parameters | blocks | preprocessing "
    "| stochastic depth |\n|---|---|---|---|---|---|---|"
)
_SIZE = 96
"""Pixels. Every network takes it, and the number of parameters does not depend on it."""


def options() -> dict[str, config.Backbone]:
    """Every option of the group ``backbone``, in alphabetical order."""
    files = sorted((conf_dir() / "backbone").glob("*.yaml"))
    return {
        file.stem: config.Backbone.model_validate(
            OmegaConf.to_container(OmegaConf.load(file), resolve=True)
        )
        for file in files
    }


def row(option: str, backbone: config.Backbone, parameters: int | None) -> str:
    """One line of the table; ``parameters`` are counted without the top, None leaves them out."""
    any_size = backbone.blocks is None
    counted = "" if parameters is None else f"{parameters:,}"
    cells = (
        f"`{option}`",
        backbone.name,
        str(backbone.resolution),
        "any" if any_size else counted,
        "any" if any_size else str(backbone.blocks),
        backbone.preprocessing,
        "yes" if backbone.stochastic_depth else "",
    )
    return f"| {' | '.join(cells)} |"


def rows(count: bool) -> Iterator[str]:
    """The table, its header first.

    Args:
        count: whether to count parameters. It makes every network once, with random weights: about
            two minutes and 2 GB of memory.
    """
    yield HEADER
    for option, backbone in options().items():
        yield row(option, backbone, _parameters(backbone) if count else None)


def _parameters(backbone: config.Backbone) -> int:
    import keras

    from sweeper.models.pretrained.networks import build_backbone

    random = backbone.model_copy(update={"weights": None})
    try:
        return int(build_backbone(random, _SIZE, None).count_params())
    finally:
        keras.backend.clear_session()
