"""The files of a data report: findings, the table of labels, and two sheets of pictures."""

import json
from collections.abc import Sequence
from pathlib import Path

from sweeper.config import Recipe
from sweeper.data.sources.loading import origin
from sweeper.data.sources.naming import printable
from sweeper.data_doctor.data_json import document, ordered
from sweeper.data_doctor.data_summary import summary
from sweeper.data_doctor.examination import Examination
from sweeper.data_doctor.label_table import LabelTable, label_table
from sweeper.disk.files import write_aside
from sweeper.pictures.contact_sheet import Tile, save_sheet
from sweeper.pictures.lettering import drawable, readable, shorten

JSON, TABLE = "data.json", "labels.csv"
WRONG, PAIRS = "wrong_labels.png", "duplicates.png"
_WRONG_SHOWN, _PAIRS_SHOWN = 30, 15
_LETTERS, _LETTERS_OF_PAIR = 20, 46


def write_report(
    found: Examination, recipe: Recipe, folder: Path
) -> tuple[LabelTable, Sequence[str]]:
    """Write everything to ``folder``; returns the table, and the names of the files.

    A sheet is not written, and an old one removed, where there is nothing to show.
    """
    name, place = origin(recipe.dataset)
    table = label_table(found.collection, recipe.dataset, found.copies, found.issues)
    content = document(found, recipe, printable(name), printable(place))
    content["summary"] = summary(found, recipe.backbone.weights is not None)
    content["not_in_table"] = [printable(one) for one in table.left_out]
    text = json.dumps(content, indent=1, ensure_ascii=False)
    write_aside(folder / JSON, f"{text}\n".encode(errors="backslashreplace"))
    write_aside(folder / TABLE, table.content)
    sheets = {WRONG: (_wrong_tiles(found), 5), PAIRS: (_pair_tiles(found), 3)}
    for file, (tiles, columns) in sheets.items():
        (folder / file).unlink(missing_ok=True)
        if tiles:
            save_sheet(folder / file, tiles, columns)
    return table, [TABLE, JSON, *(file for file, (tiles, _) in sheets.items() if tiles)]


def _wrong_tiles(found: Examination) -> list[Tile]:
    collection, issues = found.collection, found.issues
    chosen = [n for n in issues.ranked.tolist() if issues.wrong[n]][:_WRONG_SHOWN]
    images, names = collection.originals(chosen), readable(collection.class_names)
    return [
        Tile(
            [images[number]],
            [
                drawable(shorten(printable(collection.identify(number)), _LETTERS + 6)),
                shorten(f"is: {names[collection.labels[number]]}", _LETTERS + 6),
                shorten(f"looks like: {names[issues.suggestions[number]]}", _LETTERS + 6),
                f"score {issues.scores[number]:.3f}",
            ],
        )
        for number in chosen
    ]


def _pair_tiles(found: Examination) -> list[Tile]:
    collection = found.collection
    pairs = ordered(found)[:_PAIRS_SHOWN]
    images = collection.originals(at for pair in pairs for at in (pair.first, pair.second))
    names = readable(collection.class_names)
    tiles = []
    for pair in pairs:
        two = (pair.first, pair.second)
        lines = [
            shorten(
                drawable(
                    f"{collection.splits[at]}, {names[collection.labels[at]]}: "
                    f"{printable(collection.identify(at))}"
                ),
                _LETTERS_OF_PAIR,
            )
            for at in two
        ]
        across = found.across(pair)
        how = pair.kind if pair.kind.startswith("same") else f"{pair.kind} ({pair.correlation:.2f})"
        words = [how, f"across {across}" if across else "", "TWO LABELS" * found.conflicts(pair)]
        tiles.append(Tile([images[at] for at in two], [*lines, ", ".join(filter(None, words))]))
    return tiles
