"""The recipe's schema, and what is known about its parts without TensorFlow."""

from sweeper.config.advice import large_for, warnings
from sweeper.config.affects import TRAINING, Affects, keys_of, without
from sweeper.config.confirm import Confirm
from sweeper.config.data import (
    Augment,
    Auto,
    Csv,
    Dataset,
    Digits,
    Folder,
    Given,
    KFold,
    Split,
    TestSet,
    Tfds,
    Validation,
)
from sweeper.config.faults import FaultStyle
from sweeper.config.fields import nearest, one_of
from sweeper.config.network import LITE0, SCALED, Backbone, Freeze, Head, Pooling
from sweeper.config.recipe import (
    HIGHER_IS_BETTER,
    OF_EPOCHS,
    Cache,
    Executor,
    Recipe,
    Tracking,
    from_scratch,
    reported,
)
from sweeper.config.schedule import Constant, Cosine, Monitor, Plateau, Schedule, Table
from sweeper.config.training import EarlyStopping, Loss, Optimizer, Phase, Phases, Sanity, Unquoted
from sweeper.config.unused import Unused, unused_overrides

__all__ = [
    "HIGHER_IS_BETTER",
    "LITE0",
    "OF_EPOCHS",
    "SCALED",
    "TRAINING",
    "Affects",
    "Augment",
    "Auto",
    "Backbone",
    "Cache",
    "Confirm",
    "Constant",
    "Cosine",
    "Csv",
    "Dataset",
    "Digits",
    "EarlyStopping",
    "Executor",
    "FaultStyle",
    "Folder",
    "Freeze",
    "Given",
    "Head",
    "KFold",
    "Loss",
    "Monitor",
    "Optimizer",
    "Phase",
    "Phases",
    "Plateau",
    "Pooling",
    "Recipe",
    "Sanity",
    "Schedule",
    "Split",
    "Table",
    "TestSet",
    "Tfds",
    "Tracking",
    "Unquoted",
    "Unused",
    "Validation",
    "from_scratch",
    "keys_of",
    "large_for",
    "nearest",
    "one_of",
    "reported",
    "unused_overrides",
    "warnings",
    "without",
]
