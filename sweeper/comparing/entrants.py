"""What is known of a study's winner, from the study's folder."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from sweeper.config import Affects, Recipe, without
from sweeper.errors import MissingInput
from sweeper.records import COMPUTED, PREBUILT, TrialRow
from sweeper.report.damage import whole
from sweeper.report.reader import StudyReader
from sweeper.statistics.comparison import Scores
from sweeper.statistics.intervals import Figure, of_share
from sweeper.study_files import predictions
from sweeper.study_files.predictions import Predictions
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.track.journal import Journal, last_metric
from sweeper.validation import flatten

TEST, VALIDATION = "test", "validation"


@dataclass(frozen=True, eq=False)
class Images:
    """Images that a winner predicted, in the order of their names.

    Attributes:
        ids: ``[n]``, what identifies each in its source.
        truth: ``[n]``, the names of their classes.
        scores: of the winner for each.
    """

    ids: NDArray[np.str_]
    truth: NDArray[np.str_]
    scores: Scores

    @property
    def accuracy(self) -> Figure:
        """With its 95 % interval."""
        hits, count = int(self.scores.right.sum()), len(self.ids)
        return Figure(hits / count, *of_share(hits, count))


@dataclass(frozen=True, eq=False)
class Entrant:
    """The winner of one study.

    Attributes:
        name: of the study.
        trial: the winner.
        trials: how many have ended.
        images: what it predicted, by :data:`TEST` and :data:`VALIDATION`.
        class_names: of its data.
        recipe: its keys by their dotted names, without those about places.
        searched: keys that the study searched.
        computed: seconds that all trials of the study computed.
        milliseconds: for one image; None where that was not measured.
        progress: seconds computed until the end of each complete trial, and the best value until
            then.
        objective: name of what the study was judged by first.
    """

    name: str
    trial: TrialRow
    trials: int
    images: Mapping[str, Images]
    class_names: tuple[str, ...]
    recipe: Mapping[str, object]
    searched: frozenset[str]
    computed: float
    milliseconds: float | None
    progress: tuple[tuple[float, float], ...]
    objective: str


def entrant(study: StudyReader, name: str) -> Entrant:
    """The winner of ``study``, which a person calls ``name``.

    Raises:
        MissingInput: no trial of it is complete, or its winner has no predictions.
        SweeperError: its winner has no recipe, or a file of it is damaged.
    """
    summary = study.summary()
    best = summary.best
    if best is None:
        raise MissingInput(f"study {name} has no complete trial to compare")
    trial = TrialPaths(best.folder)
    found = {
        VALIDATION: whole(predictions.load, trial.predictions),
        TEST: whole(predictions.load, trial.test_predictions),
    }
    kept = {what: _images(one) for what, one in found.items() if one is not None and len(one.ids)}
    if VALIDATION not in kept:
        raise MissingInput(f"trial {best.number} of study {name} has no {trial.predictions.name}")
    names = next(one.class_names for one in found.values() if one is not None)
    metrics = {one.about.number: one.result for one in study.trials() if one.result}
    result = metrics[best.number]
    shared = last_metric(Journal(study.paths.mlflow).entries(), PREBUILT) or 0.0
    spent, steps = shared, []
    maximize, top = summary.maximize[0], None
    values = {row.number: row.value for row in summary.rows if row.feasible}
    for number, ended in sorted(metrics.items(), key=lambda one: one[1].ended):
        spent += ended.metrics.get(COMPUTED, 0.0)
        value = values.get(number)
        if value is not None and not math.isnan(value):
            better = top is None or (value > top if maximize else value < top)
            top = value if better else top
            assert top is not None
            steps.append((spent, top))
    return Entrant(
        name,
        best,
        sum(row.counts for row in summary.rows),
        kept,
        tuple(names.tolist()),
        _keys(study.recipe(best.number)),
        frozenset(key.lstrip("+~") for key in best.params),
        spent,
        result.metrics.get("milliseconds_per_image"),
        tuple(steps),
        summary.value_names[0],
    )


def _images(found: Predictions) -> Images:
    order = np.argsort(found.ids, kind="stable")
    labels = found.labels[order]
    logits = found.logits[order].astype(np.float64)
    losses = -special.log_softmax(logits, axis=1)[np.arange(len(labels)), labels]
    scores = Scores(logits.argmax(axis=1) == labels, losses)
    return Images(found.ids[order], found.class_names[labels], scores)


def _keys(recipe: Recipe) -> dict[str, object]:
    plain = flatten(without(recipe, Affects.PLACE | Affects.RECORD))
    return {key: value for key, value in plain.items() if not isinstance(value, dict) or value}
