"""The recipe's schema, and what is known about its parts without TensorFlow."""

from sweeper.config.advice import warnings
from sweeper.config.base import nearest, one_of
from sweeper.config.data import (
    Augment,
    Csv,
    Dataset,
    Digits,
    Folder,
    KFold,
    Split,
    TestSet,
    Tfds,
    Validation,
)
from sweeper.config.network import LITE0, SCALED, Backbone, Freeze, Head
from sweeper.config.recipe import HIGHER_IS_BETTER, Executor, Recipe, from_scratch
from sweeper.config.training import (
    Constant,
    Cosine,
    EarlyStopping,
    Loss,
    Monitor,
    Optimizer,
    Phase,
    Phases,
    Plateau,
    Sanity,
    Schedule,
    Table,
)

__all__ = [
    "HIGHER_IS_BETTER",
    "LITE0",
    "SCALED",
    "Augment",
    "Backbone",
    "Constant",
    "Cosine",
    "Csv",
    "Dataset",
    "Digits",
    "EarlyStopping",
    "Executor",
    "Folder",
    "Freeze",
    "Head",
    "KFold",
    "Loss",
    "Monitor",
    "Optimizer",
    "Phase",
    "Phases",
    "Plateau",
    "Recipe",
    "Sanity",
    "Schedule",
    "Split",
    "Table",
    "TestSet",
    "Tfds",
    "Validation",
    "from_scratch",
    "nearest",
    "one_of",
    "warnings",
]
