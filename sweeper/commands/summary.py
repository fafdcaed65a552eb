"""``sweeper summary``: the network of a recipe, and what of it trains. No weights are needed."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from sweeper.commands.recipe_command import composed, recipe_command

if TYPE_CHECKING:
    from rich.console import Console

    from sweeper.config import Recipe
    from sweeper.models.build import Classifier

_CLASSES_WITHOUT_DATA = 2
_WIDTH = 120


@recipe_command("summary", required=True)
@click.option("--layers", is_flag=True, help="Each layer, by the name that unfreeze_from= takes.")
def command(overrides: tuple[str, ...], layers: bool) -> None:
    """Show the network of a recipe, and what of it trains in each phase.

    OVERRIDES name the recipe, as for a fine-tune: +experiment=dogs_b0 freeze.unfreeze_blocks=4
    """
    from sweeper.execute.output import output_to
    from sweeper.validation import parse

    recipe = parse(composed(overrides))
    # what TensorFlow prints as it starts is not for the screen, whatever its own settings say
    with output_to(Path(os.devnull)) as screen:
        _show(recipe, layers, screen)


def _show(recipe: "Recipe", each_layer: bool, screen: TextIO) -> None:
    from rich.console import Console

    from sweeper.train.building import build_classifier_for
    from sweeper.train.runtime import numerics

    random = recipe.model_copy(
        update={"backbone": recipe.backbone.model_copy(update={"weights": None})}
    )
    numerics.use_plain_keras()
    classes, origin = _classes(recipe)
    classifier = build_classifier_for(random, classes)
    console = Console(file=screen, markup=False, emoji=False, highlight=False)
    side = recipe.image_size
    console.print(
        f"{recipe.backbone.name} at {side} x {side} px, {len(classifier.blocks)} blocks; "
        f"{classes} classes {origin}",
        soft_wrap=True,
    )
    _print_parts(console, recipe, classifier, each_layer)
    _print_totals(console, recipe, classifier)


def _classes(recipe: "Recipe") -> tuple[int, str]:
    from sweeper.data.sources import loading
    from sweeper.errors import MissingInput

    try:
        return len(loading.load(recipe.dataset).class_names), "in the data"
    except MissingInput:
        return _CLASSES_WITHOUT_DATA, "assumed, since the data is not there"


def _print_parts(
    console: "Console", recipe: "Recipe", classifier: "Classifier", each_layer: bool
) -> None:
    from rich import box
    from rich.table import Table

    from sweeper.models.layer_table import blocks_of, layers_of

    layers = layers_of(classifier, recipe.freeze)
    first = ["block", "layer", "kind"] if each_layer else ["block", "layers"]
    table = Table(*first, "gives", "weights", box=box.SIMPLE_HEAD)
    if each_layer:  # a name that is cut is of no use
        console.width = max(console.width, _WIDTH)
    phases = {"frozen": recipe.phases.frozen, "unfrozen": recipe.phases.unfrozen}
    shown = [name for name, phase in phases.items() if phase is not None]
    for name in shown:
        table.add_column(f"{name}: train")
    for column in table.columns:
        column.no_wrap = True
    for column in table.columns[len(first) + 1 :]:
        column.justify = "right"
    for part in layers if each_layer else blocks_of(layers):
        named = [part.block, part.name, part.kind] if each_layer else [part.block, part.kind]
        trained = [f"{getattr(part, name):,}" if getattr(part, name) else "" for name in shown]
        weights = f"{part.weights:,}" if part.weights else ""
        table.add_row(*named, part.shape, weights, *trained)
    console.print(table)


def _print_totals(console: "Console", recipe: "Recipe", classifier: "Classifier") -> None:
    from sweeper.models.layer_table import total
    from sweeper.models.size import count_parameters

    whole = count_parameters(classifier.backbone) + count_parameters(classifier.head)
    for name, phase, freeze in (
        ("frozen", recipe.phases.frozen, None),
        ("unfrozen", recipe.phases.unfrozen, recipe.freeze),
    ):
        if phase is not None:
            trains = total(classifier, freeze)
            console.print(
                f"{name} phase: {trains.weights:,} of {whole:,} weights train, in "
                f"{trains.variables} variables",
                soft_wrap=True,
            )
