"""From a recipe's data set to examples: the one place that knows every kind of source."""

from sweeper.config import Dataset, Digits, Folder, Tfds
from sweeper.data import digits_source, folder_source, tfds_source
from sweeper.data.examples import Examples, Source, split_validation

__all__ = ["Examples", "Source", "load", "prepare", "split_validation"]


def load(dataset: Dataset) -> Source:
    """Read labels and class names; images stay undecoded.

    Raises:
        MissingInput: the data is not there; :func:`prepare` may be able to fetch it.
        ConfigError: it is there, but not as the recipe describes it.
    """
    match dataset:
        case Digits():
            return digits_source.load(dataset)
        case Tfds():
            return tfds_source.load(dataset)
        case Folder():
            return folder_source.load(dataset)


def prepare(dataset: Dataset) -> None:
    """Make sure that every trial can :func:`load` and decode the data; download what can be.

    Meant to run once, before the first trial.

    Raises:
        MissingInput: the data is absent and cannot be fetched; says where it looked.
        ConfigError: the data set does not exist, or holds files that cannot be decoded.
    """
    # the digits come with scikit-learn
    match dataset:
        case Tfds():
            tfds_source.prepare(dataset)
        case Folder():
            folder_source.prepare(dataset)
