"""The data: where images come from, what validates, and how training images are changed."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field

from sweeper.config.fields import Closed, Count, File, Fraction, NotNegative, Share


class _Dataset(Closed):
    """What every source has; a ``test_fraction`` of 0 means no test.

    Keys that came later have defaults, those of ``conf/``, so that older recipes can be read.
    """

    validation_fraction: Share
    test_fraction: Fraction
    split_seed: Annotated[int, Field(ge=0)]
    fraction: Annotated[float, Field(gt=0, le=1)] = 1.0


class _Files(_Dataset):
    on_corrupt: Literal["error", "skip"]
    max_pixels: Count = 100_000_000


class Digits(_Dataset):
    """scikit-learn's 1,797 handwritten digits."""

    source: Literal["digits"]


class Tfds(_Files):
    """A data set of tensorflow-datasets, by name."""

    source: Literal["tfds"]
    name: str
    data_dir: File | None
    train_split: str
    test_split: str | None
    validation_split: str | None = None
    image_key: str
    label_key: str


class Folder(_Files):
    """Images in one folder a class, with or without ``train/`` and ``test/`` above them."""

    source: Literal["folder"]
    path: File


class Csv(_Files):
    """A table of image paths and labels; ``split_column`` (train, validation or test) or null.

    Paths are relative to ``root``, null for the folder of the table.
    """

    source: Literal["csv"]
    path: File
    root: File | None
    image_column: str
    label_column: str
    split_column: str | None


Dataset = Annotated[Digits | Tfds | Folder | Csv, Discriminator("source")]


class Auto(Closed):
    """``given`` where the data set says which images validate, else ``split``."""

    kind: Literal["auto"]


class Given(Closed):
    """The images validate that the data set gives to validate by."""

    kind: Literal["given"]


class Split(Closed):
    """``dataset.validation_fraction`` of train validates, stratified."""

    kind: Literal["split"]


class KFold(Closed):
    """Each trial trains ``folds`` times, each time validated on another part; their mean counts."""

    kind: Literal["kfold"]
    folds: Annotated[int, Field(ge=2)]


class TestSet(Closed):
    """Test validates, as in many a tutorial: what is selected on it cannot be judged by it."""

    kind: Literal["test"]


Validation = Annotated[Auto | Given | Split | KFold | TestSet, Discriminator("kind")]


class Augment(Closed):
    """Random changes of training images; 0 (of ``flip``: none) switches each off.

    Attributes:
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
