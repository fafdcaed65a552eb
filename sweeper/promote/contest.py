"""A challenger beside the present champion on the same test images."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sweeper.data.examples import Source
from sweeper.data.sources.loading import load
from sweeper.errors import MissingInput, SweeperError
from sweeper.saved.classifier import SavedClassifier
from sweeper.saved.judging import judge
from sweeper.statistics.comparison import Comparison, Scores

_LARGEST = 512
"""Pixels of a side of the example that is kept with a model."""


@dataclass(frozen=True, eq=False)
class Arena:
    """The images of a classifier's own data set on which others are compared with it.

    Attributes:
        source: the data set.
        batch_size: for predictions.
    """

    source: Source
    batch_size: int

    @classmethod
    def of(cls, classifier: SavedClassifier) -> "Arena":
        """Open the data set that ``classifier`` was trained on."""
        recipe = classifier.card.parsed_recipe()
        return cls(load(recipe.dataset), recipe.batch_size)

    def scores(self, classifier: SavedClassifier) -> Scores:
        """Those of ``classifier`` for the test images.

        Raises:
            MissingInput: there is no test image.
        """
        if self.source.test is None:
            raise MissingInput(
                "the data set of the model has no test images (dataset.test_fraction=0): nothing "
                "compares it with the champion; --force promotes it without"
            )
        judged = judge(classifier, self.source.test, self.source.class_names, self.batch_size)
        return Scores.of(judged.probabilities, judged.truth)

    def example(self) -> NDArray[np.uint8]:
        """The first image, ``[height, width, 3]``, each second row and column while large."""
        images = self.source.train if self.source.test is None else self.source.test
        (raw,) = images.select(np.arange(1)).raw().take(1)
        image: NDArray[np.uint8] = images.decode(raw).numpy()
        while max(image.shape[:2]) > _LARGEST:
            image = image[::2, ::2]
        return image


def contest(challenger: SavedClassifier, champion: SavedClassifier, arena: Arena) -> Comparison:
    """Compare two classifiers.

    Raises:
        SweeperError: they tell apart other classes, so that no image is the same task for both.
    """
    names, others = set(challenger.card.class_names), set(champion.card.class_names)
    if names != others:
        parts = [
            f"{whose} alone: {', '.join(sorted(alone))}"
            for whose, alone in (("challenger", names - others), ("champion", others - names))
            if alone
        ]
        raise SweeperError(
            f"the champion tells apart other classes ({'; '.join(parts)}): no test compares them; "
            "--force promotes it all the same"
        )
    return Comparison(arena.scores(challenger), arena.scores(champion))
