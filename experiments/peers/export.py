"""Writes what the peers are given: the split of the data, the network, its blocks as layers.

python experiments/peers/export.py FOLDER
"""

import json
import sys
from pathlib import Path

import numpy as np
from hydra import compose, initialize_config_dir
from ours import FINE_TUNE

from sweeper.config import Recipe
from sweeper.data.examples import Examples
from sweeper.data.sources.loading import load
from sweeper.models.blocks import Block, find_blocks
from sweeper.models.pretrained.networks import build_backbone
from sweeper.paths import conf_dir
from sweeper.train.folds import splits_of
from sweeper.validation import parse


def benchmark_recipe() -> Recipe:
    """The recipe that all runs of the sweeper share."""
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        overrides = [override.format(folder=conf_dir()) for override in FINE_TUNE]
        return parse(compose("config", overrides, return_hydra_config=True))


def layers_of_top(names: list[str], blocks: tuple[Block, ...]) -> list[int]:
    """How many layers, counted from the top, make 0, 1, 2 ... blocks.

    Raises:
        ValueError: the top layers are not those of the top blocks.
    """
    counts = [0]
    for block in reversed(blocks):
        top = names[len(names) - counts[-1] - len(block.layers) : len(names) - counts[-1]]
        if set(top) != set(block.layers):
            raise ValueError(f"the layers of {block.name} do not lie together: {top}")
        counts.append(counts[-1] + len(block.layers))
    return counts


def arrays(examples: Examples) -> tuple[np.ndarray, np.ndarray]:
    """Images ``[n, 8, 8, 3]`` uint8 and labels ``[n]``."""
    images = np.stack([examples.decode(raw).numpy() for raw in examples.raw()])
    return images, examples.labels


def main() -> None:
    """Write ``digits.npz``, ``lite0.keras`` and ``layers.json``."""
    folder = Path(sys.argv[1])
    recipe = benchmark_recipe()
    source = load(recipe.dataset)
    ((train, validation),) = splits_of(source, recipe)
    parts = {"train": train, "validation": validation, "test": source.test}
    content = {}
    for name, examples in parts.items():
        content[f"{name}_images"], content[f"{name}_labels"] = arrays(examples)
    np.savez(folder / "digits.npz", **content)
    backbone = build_backbone(recipe.backbone, recipe.image_size, recipe.drop_connect_rate)
    backbone.save(folder / "lite0.keras")
    names = [layer.name for layer in backbone.layers]
    (folder / "layers.json").write_text(json.dumps(layers_of_top(names, find_blocks(backbone))))


if __name__ == "__main__":
    main()
