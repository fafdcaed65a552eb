"""Any data set of tensorflow-datasets that has an image and a class label.

Only prepared data is read: ``tfds.load`` of absent data without internet takes minutes to fail.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from sweeper.config import Tfds, nearest
from sweeper.data.batches import as_written
from sweeper.data.content_hash import hashed
from sweeper.data.examples import Examples, class_counts
from sweeper.data.image_reading.decoding import Decoder
from sweeper.data.sources.internet import any_answers
from sweeper.data.sources.listing import Listing, Part, files_content, unequal_classes
from sweeper.data.sources.tfds_records import labels_of, record_at, records_of
from sweeper.data.stratified import Indices
from sweeper.disk.writable import too_long
from sweeper.errors import ConfigError, MissingInput

SITE = "https://www.tensorflow.org/datasets"


def listing(dataset: Tfds) -> Listing:
    """Read the labels of prepared data.

    Raises:
        MissingInput: the data is not prepared.
        ConfigError: no such data set, split, image or label; records that cannot be read; images
            without a label; or other classes in train than in test.
    """
    builder = _builder(dataset)
    if not builder.is_prepared():
        raise _missing(builder, "has not been downloaded and prepared")
    names = _check(dataset, builder)
    trains, given = dataset.train_split, dataset.validation_split
    both = f"{trains}+{given}" if given else trains  # in this order
    splits = {"train_split": both, "test_split": dataset.test_split}
    parts = [_part(dataset, builder, split, key) for key, split in splits.items() if split]
    counts = [class_counts(part.examples.labels, len(names)) for part in parts]
    seen = [
        (part.where, [names[label] for label in np.flatnonzero(count)])
        for part, count in zip(parts, counts, strict=True)
    ]
    faults = unequal_classes(seen) if len(seen) == 2 else []
    if faults:
        raise ConfigError(faults)
    unused = len(names) - len(seen[0][1])
    notes = [f"classes of {dataset.name} without an image: {unused} of {len(names)}"][:unused]
    images = len(parts[0].examples)
    validating = builder.info.splits[given].num_examples if given else 0
    validation = np.arange(images - validating, images)
    return Listing(names, tuple(parts), validation, tuple(notes))


def prepare(dataset: Tfds) -> None:
    """Download and prepare the data unless it is there.

    Archives that a person has put into ``downloads/manual`` of the data's folder are used, as
    tensorflow-datasets does by their registered names; without internet too.

    Raises:
        MissingInput: it is not there and cannot be had; without internet, within seconds.
        ConfigError: no such data set, split, image or label.
    """
    builder = _builder(dataset)
    if not builder.is_prepared():
        homepage, manual = builder.info.homepage, _manual_folder(dataset)
        placed = manual.is_dir() and any(manual.iterdir())
        if not placed and builder.MANUAL_DOWNLOAD_INSTRUCTIONS:
            instructions = " ".join(builder.MANUAL_DOWNLOAD_INSTRUCTIONS.split())
            raise _missing(builder, "must be downloaded by hand", f"{manual}: {instructions}")
        if not placed and not any_answers([url for url in (homepage, SITE) if url]):
            archives = [one.filename for one in (builder.url_infos or {}).values() if one.filename]
            raise _missing(
                builder,
                "is not prepared, and there is no internet to download it",
                f"{manual}: {', '.join(sorted(archives))}" if archives else None,
            )
        try:
            builder.download_and_prepare()
        except Exception as error:  # each data set fails in its own way
            why = f"{type(error).__name__}: {error}"
            raise _missing(builder, f"could not be downloaded and prepared ({why})") from error
    _check(dataset, builder)


def _builder(dataset: Tfds) -> Any:
    import tensorflow_datasets as tfds

    given = dataset.data_dir
    keys = {"dataset.data_dir": folder(dataset), "dataset.name": folder(dataset) / dataset.name}
    for key, path in keys.items():
        if reason := too_long(path):
            raise ConfigError([f"{key}: {reason}"])
    try:
        return tfds.builder(dataset.name, data_dir=given and str(folder(dataset)))
    except tfds.core.DatasetNotFoundError:
        known = tfds.list_builders(with_community_datasets=False)
        hint = nearest(dataset.name, known)
        fault = (
            "dataset.name must name a data set of tensorflow-datasets or one prepared under "
            f"{folder(dataset)}, got '{dataset.name}'{hint}"
        )
    except (AssertionError, ImportError, ValueError) as error:
        # an unknown version or configuration, or a package that this data set needs
        fault = f"dataset.name '{dataset.name}' cannot be used: {error}"
    raise ConfigError([fault])


def folder(dataset: Tfds) -> Path:
    """Below which the data set's own folder lies."""
    given = dataset.data_dir
    return given.expanduser().absolute() if given else _default_folder()


def _manual_folder(dataset: Tfds) -> Path:
    """Where tensorflow-datasets looks for archives before it downloads them."""
    return folder(dataset) / "downloads" / "manual"


def _default_folder() -> Path:
    import tensorflow_datasets as tfds

    return Path(tfds.core.constants.DATA_DIR).expanduser()


def _missing(builder: Any, what: str, by_hand: str | None = None) -> MissingInput:
    """``by_hand`` is a folder, and what to put there instead."""
    name, _, version = builder.info.full_name.rpartition("/")
    return MissingInput(
        f"{name} {version} {what}; looked in {builder.data_path}; "
        "set dataset.data_dir=<folder with prepared data>"
        + (f", or put its archives into {by_hand}" if by_hand else "")
    )


def _check(dataset: Tfds, builder: Any) -> tuple[str, ...]:
    """Every fault of the keys and splits at once, or the names of the classes."""
    import tensorflow_datasets as tfds

    features = dict(builder.info.features.items())
    faults = []
    for key, name, kind in (
        ("image_key", dataset.image_key, tfds.features.Image),
        ("label_key", dataset.label_key, tfds.features.ClassLabel),
    ):
        feature = features.get(name)
        if feature is None:
            hint = nearest(name, features) or f"; known: {', '.join(features)}"
            faults.append(
                f"dataset.{key} must name a feature of {dataset.name}, got '{name}'{hint}"
            )
        elif not isinstance(feature, kind):
            found = type(feature).__name__
            faults.append(f"dataset.{key}: '{name}' is a {found}, not one {kind.__name__}")
        elif kind is tfds.features.Image and feature.np_dtype != np.uint8:
            faults.append(f"dataset.{key}: '{name}' holds {feature.np_dtype}, not 8-bit images")
    known = [*builder.info.splits, "all"]
    for key in ("train_split", "validation_split", "test_split"):
        split = getattr(dataset, key)
        # tfds also reads slices and sums, such as train[:80%]+extra
        for part in re.findall(r"(?:^|\+)\s*([^\[+\s]*)", split or ""):
            if split and part not in known:
                hint = nearest(part, known) or f"; known: {', '.join(known)}"
                faults.append(
                    f"dataset.{key} must name a split of {dataset.name}, got '{part}'{hint}"
                )
    if faults:
        raise ConfigError(faults)
    return tuple(features[dataset.label_key].names)


def _part(dataset: Tfds, builder: Any, split: str, key: str) -> Part:
    labels = labels_of(dataset, builder, split, key)
    where = f"'{split}' of {dataset.name}"
    if not len(labels) or labels.min() < 0:
        what = f"{(labels < 0).sum()} images without a label" if len(labels) else "no images"
        raise ConfigError([f"dataset.{key}: {where} has {what}"])
    feature = builder.info.features[dataset.image_key]
    height, width, _ = feature.shape
    files = builder.info.splits[split].file_instructions
    paths = [file.filename for file in files]
    # which records of these files, and which image of a record
    records = [dataset.image_key, *(f"{file.skip} {file.take}" for file in files)]

    def read(indices: Indices) -> tf.data.Dataset:
        wanted = np.zeros(len(labels), dtype=bool)
        wanted[indices] = True
        images = records_of(builder, split, dataset.image_key)
        chosen = tf.data.Dataset.zip(tf.data.Dataset.from_tensor_slices(wanted), images)
        chosen = chosen.filter(as_written(lambda keep, _: keep))
        encoded = chosen.map(as_written(lambda _, one: one[dataset.image_key]))
        # not .cache(): all encoded images would stay in memory
        return encoded.apply(tf.data.experimental.assert_cardinality(len(indices)))

    decoder = Decoder(dataset.max_pixels)
    size = (height, width) if height and width else None
    # images of one size are resized in another way
    rules = f"{decoder.key}, of {size or 'any size'}"
    examples = Examples(
        labels=labels,
        indices=np.arange(len(labels)),
        read=read,
        decode=decoder,
        size=size,
        name=lambda position: "record {} of {}".format(*record_at(files, position)),
        identify=lambda position: "record {} of {.name}".format(*record_at(files, position)),
        class_names=tuple(builder.info.features[dataset.label_key].names),
        content=lambda: files_content(
            builder.info.full_name, Path(builder.data_path), paths, decoder.key, *records
        ),
        hashes=lambda indices: hashed(read(indices), rules),
    )
    return Part(where, examples, paths, lambda record: record, decoder, dataset.image_key)
