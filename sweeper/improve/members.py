"""The trials of a study that a better model can be made of, and the images to choose by."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sweeper.config import Recipe
from sweeper.data.batches import Batches
from sweeper.data.examples import Source
from sweeper.data.sources.loading import load
from sweeper.errors import SweeperError
from sweeper.records import Owner, State, TrialRow
from sweeper.report.reader import StudyReader
from sweeper.study_files.predictions import Predictions
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.train.evaluation import evaluation_batches
from sweeper.train.folds import splits_of

_SEED = 0


@dataclass(frozen=True, eq=False)
class Member:
    """A complete trial whose weights are kept."""

    row: TrialRow
    recipe: Recipe
    predictions: Predictions
    owner: Owner

    @property
    def paths(self) -> TrialPaths:
        """Its files."""
        return TrialPaths(self.row.folder)


@dataclass(frozen=True, eq=False)
class Halves:
    """``[n]`` masks of the validation images: those to choose by, and those to judge by."""

    choose: NDArray[np.bool_]
    judge: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Team:
    """The winner and the trials beside it.

    Attributes:
        study: name of the study.
        winner: its best trial.
        members: that and others, of one data set, one image size and one split, the best first.
        labels: ``[n]``, the true classes of the validation images.
        halves: of these images.
    """

    study: str
    winner: Member
    members: Sequence[Member]
    labels: NDArray[np.int64]
    halves: Halves

    @cached_property
    def source(self) -> Source:
        """The data set."""
        return load(self.winner.recipe.dataset)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Of the classes, in the order of the outputs."""
        return self.source.class_names

    def validation(self) -> Batches:
        """The validation images, in the order of ``labels``."""
        recipe = self.winner.recipe
        _, held_out = splits_of(self.source, recipe)[0]
        return evaluation_batches(held_out, recipe, len(self.class_names))

    def test(self) -> Batches | None:
        """The test images, None where there are none."""
        if self.source.test is None:
            return None
        return evaluation_batches(self.source.test, self.winner.recipe, len(self.class_names))


def team_of(study: StudyReader) -> Team:
    """The trials of ``study`` from which something better may be made.

    Raises:
        SweeperError: no trial is complete, the winner's predictions or weights are not there, or
            it has folds, which have no one set of validation images.
    """
    summary = study.summary()
    if summary.best is None:
        raise SweeperError(f"study {study.about.name} has no winner yet: no trial is complete")
    winner = _member(study, summary.best)
    if winner is None:
        raise SweeperError(
            f"the winner of {study.about.name} has no weights or no predictions of validation "
            f"images in {summary.best.folder}: run the sweep to its end"
        )
    if winner.predictions.fold.any():
        raise SweeperError(
            "the trials have folds (validation.kind=kfold): there is no one set of validation "
            "images on which models could be compared"
        )
    others = (_member(study, row) for row in summary.rows if row.state is State.COMPLETE)
    fitting = [one for one in others if one is not None and _fits(one, winner)]
    sign = -1 if summary.maximize[0] else 1
    # runs with other seeds may have made another trial the winner than the best of the search
    fitting.sort(
        key=lambda one: (one.row is not summary.best, sign * one.row.values[0], one.row.number)
    )
    labels = winner.predictions.labels
    return Team(study.about.name, winner, fitting, labels, halves(labels))


def halves(labels: NDArray[np.int64]) -> Halves:
    """Split images with these ``[n]`` labels at random, each class in two halves."""
    order = np.random.default_rng(_SEED).permutation(len(labels))
    by_class = order[np.argsort(labels[order], kind="stable")]
    choose = np.zeros(len(labels), np.bool_)
    choose[by_class[::2]] = True
    return Halves(choose, ~choose)


def _member(study: StudyReader, row: TrialRow) -> Member | None:
    predictions = study.predictions(row.number)
    if predictions is None or not TrialPaths(row.folder).learned.is_file():
        return None
    about = next(one.about for one in study.trials() if one.about.number == row.number)
    owner = Owner(str(row.number), about.study)
    return Member(row, study.recipe(row.number), predictions, owner)


def _fits(one: Member, winner: Member) -> bool:
    """Whether a trial saw the same images as the winner, in the same size."""
    return (
        one.recipe.image_size == winner.recipe.image_size
        and np.array_equal(one.predictions.ids, winner.predictions.ids)
        and np.array_equal(one.predictions.labels, winner.predictions.labels)
        and np.array_equal(one.predictions.class_names, winner.predictions.class_names)
    )
