"""``sweeper evaluate``: how good a study's winner, or another model, is on a data set."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from sweeper.commands.model_command import STORE, model_command

if TYPE_CHECKING:
    from sweeper.config import Dataset
    from sweeper.data.examples import Examples, Source
    from sweeper.saved.card import Card
    from sweeper.saved.classifier import SavedClassifier
    from sweeper.saved.reference import Found
    from sweeper.statistics.intervals import Figure

PARTS = ("test", "train", "all")


@model_command("evaluate", with_uri=True, ignore_unknown_options=True)
@click.argument("overrides", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--part",
    type=click.Choice(PARTS),
    help="Which images: all is train and what was drawn from it to test.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for tables and pictures.  [default: evaluations/<time>]",
)
@click.option("--log", is_flag=True, help="Add all that to the MLflow run of the model.")
def command(
    found: "Found",
    uri: str | None,
    overrides: tuple[str, ...],
    part: str | None,
    out: Path | None,
    log: bool,
) -> None:
    """Judge a model on a data set.

    OVERRIDES name the data: dataset=folder dataset.path=photos. Without them it is the one that the
    model was trained on, and its test images are meant. Of other data they are its test images
    where it has some, else all of it.
    """
    from sweeper.execute.output import only_ours

    with only_ours() as (screen, _):
        classifier, figures, folder = _evaluate(found, overrides, part, out, screen)
        if log:
            from sweeper.promote.evaluations import log_evaluation
            from sweeper.promote.in_mlflow import store_for

            def say(text: str) -> None:
                print(text, file=screen)

            store = store_for(found, uri, STORE)
            run_id = log_evaluation(found, classifier, figures, folder, store, say)
            say(f"logged to MLflow: run {run_id}, evaluations/{folder.name}")


def _evaluate(
    found: "Found", overrides: tuple[str, ...], part: str | None, out: Path | None, screen: TextIO
) -> "tuple[SavedClassifier, Mapping[str, Figure], Path]":
    from sweeper.data.sources import loading
    from sweeper.saved import judging
    from sweeper.saved.classifier import SavedClassifier

    classifier = SavedClassifier.load(found.network)
    dataset = _dataset(classifier.card, overrides)
    for note in loading.prepare(dataset):
        print(note, file=screen)
    part, source, examples = _images(dataset, part, own=not overrides)
    batch = int(classifier.card.recipe.get("batch_size", 32))
    judged = judging.judge(classifier, examples, source.class_names, batch)
    folder = out or Path("evaluations") / time.strftime("%Y-%m-%d_%H-%M-%S")
    about = {"model": found.name, "data": f"{part} of {loading.origin(dataset)[0]}"}
    figures = judging.write(judged, folder, about)
    print(f"{about['model']} on {about['data']}: {len(judged.truth):,} images", file=screen)
    for name, figure in figures.items():
        print(f"  {name.replace('_', ' '):<28}{_spelled(figure)}", file=screen)
    if judged.unknown:
        total = sum(judged.unknown.values())
        print(
            f"warning: {total:,} images are left out, of classes that the model does not have: "
            f"{', '.join(judged.unknown)}",
            file=screen,
        )
    if judged.absent:
        print(f"the data has no image of: {', '.join(judged.absent)}", file=screen)
    print(f"files: {folder}", file=screen)
    return classifier, figures, folder


def _dataset(card: "Card", overrides: tuple[str, ...]) -> "Dataset":
    from sweeper.commands.recipe_command import composed
    from sweeper.validation import parse

    return parse(composed(overrides)).dataset if overrides else card.parsed_recipe().dataset


def _images(dataset: "Dataset", part: str | None, own: bool) -> tuple[str, "Source", "Examples"]:
    """The name of the part that is judged, the data, and the images of the part."""
    from sweeper.data.sources import loading
    from sweeper.errors import MissingInput

    source = loading.load(dataset)
    given = source.test is not None and source.drawn is None
    if part is None:
        part = "test" if own or given else "all"
    match part:
        case "test":
            if source.test is None:
                raise MissingInput("the data has no test images; name others: --part train")
            return part, source, source.test
        case "all" if given:
            raise MissingInput("the data has test images of its own: --part test, or train")
        case "all":
            whole = loading.load(dataset.model_copy(update={"test_fraction": 0.0}))
            return part, whole, whole.train
    return part, source, source.train


def _spelled(figure: "Figure") -> str:
    if figure.low is None or figure.high is None:
        return f"{figure.value:.4f}"
    return f"{figure.value:.4f} (95 %: {figure.low:.3f} to {figure.high:.3f})"
