"""The data sets under conf/dataset, against the builders of the installed tensorflow-datasets.

What splits a builder makes is known after a download only, or from its code.
"""

import inspect
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds
from recipes import recipe

from sweeper.data.sources import loading
from sweeper.errors import ConfigError
from sweeper.paths import conf_dir

RECIPES = sorted(path.stem for path in (conf_dir() / "dataset").glob("*.yaml"))
OPEN = {"csv", "digits", "folder", "tfds"}
NAMED = [name for name in RECIPES if name not in OPEN]


def splits(builder: Any) -> list[str]:
    code = inspect.getsource(inspect.unwrap(type(builder)._split_generators))
    return [name.lower() for name in re.findall(r"tfds\.Split\.([A-Z]+)", code)]


def prepared(folder: Path, builder: Any, image_key: str, label_key: str) -> None:
    """Two images of each class in every split that the builder's code makes."""
    features = {key: builder.info.features[key] for key in (image_key, label_key)}
    height, width, channels = features[image_key].shape
    image = np.zeros((height or 3, width or 4, channels), np.uint8)
    labels = [*range(features[label_key].num_classes)] * 2
    tfds.dataset_builders.store_as_tfds_dataset(
        name=builder.name,
        version=str(builder.version),
        features=tfds.features.FeaturesDict(features),
        data_dir=folder,
        split_datasets={
            split: [
                (f"{split}{number}", {image_key: image, label_key: label})
                for number, label in enumerate(labels)
            ]
            for split in splits(builder)
        },
        disable_shuffling=True,
    )


def header(name: str) -> str:
    lines = (conf_dir() / "dataset" / f"{name}.yaml").read_text().splitlines()
    return " ".join(line.removeprefix("# ") for line in lines if line.startswith("#"))


def test_the_published_ones_are_there():
    assert set(NAMED) >= {
        "cats_vs_dogs",
        "cifar10",
        "cifar100",
        "fashion_mnist",
        "food101",
        "oxford_flowers102",
        "stanford_dogs",
    }


@pytest.mark.parametrize(
    "name",
    [name if name == "cifar10" else pytest.param(name, marks=pytest.mark.more) for name in NAMED],
)
def test_a_named_data_set_fits_its_builder(tmp_path, name):
    dataset = recipe(f"dataset={name}", f"dataset.data_dir={tmp_path}").dataset
    builder = tfds.builder(dataset.name, data_dir=tmp_path)
    prepared(tmp_path, builder, dataset.image_key, dataset.label_key)

    assert loading.prepare(dataset) == []
    source = loading.load(dataset)
    n_classes = len(source.class_names)
    images = len(splits(builder)) * n_classes * 2
    assert len(source.train) + len(source.test) == images  # no split is forgotten
    assert f"of {n_classes} classes" in header(name)


@pytest.mark.parametrize("name", NAMED)
def test_a_header_tells_the_size_of_the_download(name):
    builder = tfds.builder(recipe(f"dataset={name}").dataset.name)
    size = sum(url.size for url in type(builder).url_infos.values())
    assert f"{size / 1e6:.0f} MB to download" in header(name)


def test_any_other_of_tensorflow_datasets(tmp_path):
    dataset = recipe("dataset=tfds", "dataset.name=mnist", f"dataset.data_dir={tmp_path}").dataset
    prepared(tmp_path, tfds.builder("mnist"), "image", "label")
    assert loading.load(dataset).class_names == tuple("0123456789")
    assert loading.load(dataset).train.size == (28, 28)


@pytest.mark.parametrize(("name", "key"), [("tfds", "name"), ("folder", "path"), ("csv", "path")])
def test_an_open_recipe_needs_one_key(name, key):
    given = recipe(f"dataset={name}", f"dataset.{key}=x").dataset
    assert str(getattr(given, key)) == "x"
    assert given.on_corrupt == "error"
    with pytest.raises(ConfigError, match=rf"dataset\.{key} is missing"):
        recipe(f"dataset={name}")
