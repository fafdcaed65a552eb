"""From a recipe's data set to examples: the one place that knows every kind of source."""

from dataclasses import dataclass
from pathlib import Path

from sweeper.config import Csv, Dataset, Digits, Folder, Tfds
from sweeper.data.examples import Source
from sweeper.data.images import OnImages, no_callback
from sweeper.data.sources import (
    csv_source,
    digits_source,
    findings,
    folder_source,
    tfds_source,
)
from sweeper.data.sources.listing import Listing, shortened
from sweeper.data.sources.scan import scan
from sweeper.data.sources.scan_record import Scan
from sweeper.errors import ConfigError


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


def prepare(dataset: Dataset, on_images: OnImages = no_callback) -> list[str]:
    """Make sure that every trial can :func:`load` and decode the data; download what can be.

    Meant to run once, before the first trial: it decodes every image, unless it did so before and
    nothing has changed; ``on_images`` is called as it does.

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
    found = scan(listing.parts, on_images)
    if dataset.on_corrupt == "error" and any(found.found):
        raise ConfigError(_faults(found))
    kept = _without(listing, found)
    kept.source(dataset.test_fraction, dataset.split_seed)
    return [*listing.notes, *findings.left_out(listing, found), *found.notes]


def doubts(dataset: Dataset) -> list[str]:
    """A sentence for everything that can be trained on and is likely a mistake in the data.

    Meant to run after :func:`prepare`, whose search it recalls. Classes that differ in case only,
    classes without validation images, images with nothing to see, and the same image in train and
    test, in two classes, or twice.
    """
    if isinstance(dataset, Digits):
        return []
    listing = _list(dataset)
    found = scan(listing.parts)
    kept = _without(listing, found)
    source = kept.source(dataset.test_fraction, dataset.split_seed)
    return [
        *listing.alike(),
        *findings.faint(kept, found),
        *findings.unvalidated(source),
        *findings.twins(kept, source, found),
    ]


@dataclass(frozen=True)
class Inspected:
    """A data set as its source lists it, and what the scan of all its images found."""

    listing: Listing
    found: Scan

    @property
    def notes(self) -> list[str]:
        """Sentences for the person: what is no fault, but should be known."""
        kept = _without(self.listing, self.found)
        return [
            *self.listing.notes,
            *self.found.notes,
            *self.listing.alike(),
            *findings.faint(kept, self.found),
        ]


def inspect(dataset: Dataset, on_images: OnImages = no_callback) -> Inspected | None:
    """Look at every image, as :func:`prepare` does, and say what was found image by image.

    None of images that lie in memory. Images that cannot be decoded are no fault here.

    Raises:
        MissingInput: the data is absent and cannot be fetched.
        ConfigError: it is not as the recipe describes it.
    """
    if isinstance(dataset, Digits):
        return None
    if isinstance(dataset, Tfds):
        tfds_source.prepare(dataset)
    listing = _list(dataset)
    return Inspected(listing, scan(listing.parts, on_images))


def origin(dataset: Dataset) -> tuple[str, Path | str]:
    """What a data set is called, and where it lies, or in words where it comes from."""
    match dataset:
        case Digits():
            return "digits", "scikit-learn's load_digits"
        case Tfds():
            return dataset.name, tfds_source.folder(dataset)
        case Folder() | Csv():
            place = dataset.path.expanduser().absolute()
            return place.name or str(place), place


def has_validation(dataset: Dataset) -> bool:
    """Whether the data set says which images validate; decodes nothing, and raises nothing."""
    match dataset:
        case Digits():
            return False
        case Tfds():
            return dataset.validation_split is not None
        case Folder():
            return folder_source.has_validation(dataset)
        case Csv():
            return csv_source.has_validation(dataset)


def undecodable(dataset: Dataset) -> list[str]:
    """A sentence for each image that cannot be decoded now, and for many of them the first few.

    TensorFlow does not say which image it failed at: this names those that broke since
    :func:`prepare` looked.
    """
    return [] if isinstance(dataset, Digits) else _faults(scan(_list(dataset).parts))


def _list(dataset: Tfds | Folder | Csv) -> Listing:
    return _whole(dataset).fraction(dataset.fraction, dataset.split_seed)


def _whole(dataset: Tfds | Folder | Csv) -> Listing:
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
