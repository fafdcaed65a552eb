"""The data: where images come from, what validates, and how training images are changed."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field

from sweeper.config.fields import Closed, Count, File, Fraction, NotNegative, Share

MAX_PIXELS = 100_000_000
"""Of an image, where a recipe names no other number."""


class _Dataset(Closed):
    """What every source has.

    Keys that came later have defaults, those of ``conf/``, so that older recipes can be read.

    Attributes:
        validation_fraction: of train, stratified, where the data set does not say what validates.
        test_fraction: of all, stratified, where the data set has no test; 0 for no test.
        split_seed: of the draws of validation and test.
        fraction: of all images, stratified, for a first try: 0.1 is a tenth.
    """

    validation_fraction: Share
    test_fraction: Fraction
    split_seed: Annotated[int, Field(ge=0)]
    fraction: Annotated[float, Field(gt=0, le=1)] = 1.0


class _Files(_Dataset):
    """What every source of image files has.

    Attributes:
        on_corrupt: ``skip`` leaves out images that cannot be decoded, and counts them.
        max_pixels: of an image; more are refused before they are decoded.
    """

    on_corrupt: Literal["error", "skip"]
    max_pixels: Count = MAX_PIXELS


class Digits(_Dataset):
    """scikit-learn's 1,797 handwritten digits.

    Attributes:
        source: kind of data set, chosen with dataset=<option>.
    """

    source: Literal["digits"]


class Tfds(_Files):
    """A data set of tensorflow-datasets.

    Attributes:
        source: kind of data set, chosen with dataset=<option>.
        name: of the data set in tensorflow-datasets, with its configuration and version if need be.
        data_dir: folder of prepared data; null for TFDS_DATA_DIR, else ~/tensorflow_datasets.
        train_split: what trains, in the syntax of tensorflow-datasets.
        test_split: what tests; null draws test_fraction of train.
        validation_split: what validates with validation=given; null for none.
        image_key: of a record, its image.
        label_key: of a record, its class.
    """

    source: Literal["tfds"]
    name: str
    data_dir: File | None
    train_split: str
    test_split: str | None
    validation_split: str | None = None
    image_key: str
    label_key: str


class Folder(_Files):
    """Images in one folder a class, with or without ``train/`` and ``test/`` above them.

    Attributes:
        source: kind of data set, chosen with dataset=<option>.
        path: of the folder, or of the table.
    """

    source: Literal["folder"]
    path: File


class Csv(_Files):
    """A table of image paths and labels.

    Attributes:
        source: kind of data set, chosen with dataset=<option>.
        path: of the folder, or of the table.
        root: folder that the paths in the table start from; null for that of the table.
        image_column: path of the file.
        label_column: name of the class, or its number.
        split_column: train, validation or test; null draws test_fraction of all rows.
    """

    source: Literal["csv"]
    path: File
    root: File | None
    image_column: str
    label_column: str
    split_column: str | None


Dataset = Annotated[Digits | Tfds | Folder | Csv, Discriminator("source")]


class Auto(Closed):
    """``given`` where the data set says which images validate, else ``split``.

    Attributes:
        kind: what validates, chosen with validation=<option>.
    """

    kind: Literal["auto"]


class Given(Closed):
    """The images validate that the data set gives to validate by."""

    kind: Literal["given"]


class Split(Closed):
    """``dataset.validation_fraction`` of train validates, stratified."""

    kind: Literal["split"]


class KFold(Closed):
    """Each trial trains once for each fold, validated on another part; their mean counts.

    Attributes:
        kind: what validates, chosen with validation=<option>.
        folds: how many parts train is split into.
    """

    kind: Literal["kfold"]
    folds: Annotated[int, Field(ge=2)]


class TestSet(Closed):
    """Test validates, as in many a tutorial: what is selected on it cannot be judged by it."""

    kind: Literal["test"]


Validation = Annotated[Auto | Given | Split | KFold | TestSet, Discriminator("kind")]


class Augment(Closed):
    """Random changes of training images; 0 (of ``flip``: none) switches each off.

    Attributes:
        flip: left and right, up and down, or both, each with a chance of one half.
        rotation: of a full turn, either way.
        translation: of the side, either way, each axis by itself.
        zoom: of the side, in or out.
        shear: tangent of the angle, either way, each axis by itself.
        contrast: relative, either way, about the image's mean.
        brightness: relative, either way: pixels times ``1 ± brightness``.
        rand_augment: operations of RandAugment for each image (Cubuk et al. 2019).
        rand_augment_magnitude: their strength, as a part of AutoAugment's ranges.
        mixup: alpha of MixUp (Zhang et al. 2018).
        cutmix: alpha of CutMix (Yun et al. 2019); with MixUp too, each batch draws one of them.
    """

    flip: Literal["none", "horizontal", "vertical", "horizontal_and_vertical"]
    rotation: Fraction
    translation: Fraction
    zoom: Fraction
    shear: Fraction
    contrast: Fraction
    brightness: Fraction
    rand_augment: Annotated[int, Field(ge=0)]
    rand_augment_magnitude: Annotated[float, Field(ge=0, le=1)]
    mixup: NotNegative
    cutmix: NotNegative

    @property
    def changes_nothing(self) -> bool:
        """Whether all of it is off."""
        values = self.model_dump(exclude={"rand_augment_magnitude"}).values()
        return not any(value for value in values if value != "none")
