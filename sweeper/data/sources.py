"""From a recipe's data set to examples: the one place that knows every kind of source."""

from sweeper.config import Csv, Dataset, Digits, Folder, Tfds
from sweeper.data import csv_source, digits_source, folder_source, tfds_source
from sweeper.data.examples import (
    Examples,
    Source,
    class_counts,
    split_folds,
    split_validation,
)
from sweeper.data.listing import Listing, shortened
from sweeper.data.scan import Scan, scan
from sweeper.errors import ConfigError

__all__ = [
    "Examples",
    "Source",
    "class_counts",
    "load",
    "prepare",
    "split_folds",
    "split_validation",
    "undecodable",
]

_NAMED = 3
"""Images named when they are left out."""


def load(dataset: Dataset) -> Source:
    """Read labels and class names; images stay undecoded.

    With ``on_corrupt: skip`` images are left out that :func:`prepare` found undecodable; where it
    has not run since the data changed, the search for them is made up for.

    Raises:
        MissingInput: the data is not there; :func:`prepare` may be able to fetch it.
        ConfigError: it is there, but not as the recipe describes it.
    """
    if isinstance(dataset, Digits):
        return digits_source.load(dataset)
    listing = _list(dataset)
    if dataset.on_corrupt == "skip":
        listing = _without(listing, scan(listing.parts))
    return listing.source(dataset.test_fraction, dataset.split_seed)


def prepare(dataset: Dataset) -> list[str]:
    """Make sure that every trial can :func:`load` and decode the data; download what can be.

    Meant to run once, before the first trial: it decodes every image, unless it did so before and
    nothing has changed.

    Returns:
        What the person should know: a sentence about images that are left out, for example.

    Raises:
        MissingInput: the data is absent and cannot be fetched; says where it looked.
        ConfigError: the data set does not exist, is not as the recipe describes it, or holds
            images that cannot be decoded and are not to be skipped.
    """
    if isinstance(dataset, Digits):
        return []
    if isinstance(dataset, Tfds):
        tfds_source.prepare(dataset)
    listing = _list(dataset)
    # before the images are looked at, which takes longer
    listing.source(dataset.test_fraction, dataset.split_seed)
    found = scan(listing.parts)
    if dataset.on_corrupt == "error" and any(found.found):
        raise ConfigError(_faults(found))
    kept = _without(listing, found)
    kept.source(dataset.test_fraction, dataset.split_seed)
    return [*listing.notes, *_left_out(listing, found), *found.notes]


def undecodable(dataset: Dataset) -> list[str]:
    """A sentence for each image that cannot be decoded now, and for many of them the first few.

    TensorFlow does not say which image it failed at: this names those that broke since
    :func:`prepare` looked.
    """
    return [] if isinstance(dataset, Digits) else _faults(scan(_list(dataset).parts))


def _list(dataset: Tfds | Folder | Csv) -> Listing:
    match dataset:
        case Tfds():
            return tfds_source.listing(dataset)
        case Folder():
            return folder_source.listing(dataset)
        case Csv():
            return csv_source.listing(dataset)


def _without(listing: Listing, found: Scan) -> Listing:
    return listing.without([{one.position for one in of_part} for of_part in found.found])


def _faults(found: Scan) -> list[str]:
    return shortened(
        [
            f"{one.name} cannot be decoded ({one.reason}); replace or remove it, or set "
            "dataset.on_corrupt=skip"
            for of_part in found.found
            for one in of_part
        ],
        "such images",
    )


def _left_out(listing: Listing, found: Scan) -> list[str]:
    sentences = []
    for part, of_part in zip(listing.parts, found.found, strict=True):
        if of_part:
            named = [one.name for one in of_part[:_NAMED]]
            if len(of_part) > _NAMED:
                named.append(f"{len(of_part) - _NAMED:,} more")
            sentences.append(
                f"{len(of_part):,} of {len(part.examples):,} images of {part.where} cannot be "
                f"decoded and {'is' if len(of_part) == 1 else 'are'} left out: {', '.join(named)}"
            )
    return sentences
