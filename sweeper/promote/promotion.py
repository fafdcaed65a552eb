"""What ``sweeper promote`` does: compare with the champion, register, and point the alias."""

from dataclasses import dataclass

import numpy as np

from sweeper.errors import MissingInput, SweeperError
from sweeper.promote.contest import Arena, contest
from sweeper.promote.in_mlflow import Say, in_mlflow
from sweeper.promote.registry import Registry
from sweeper.saved.classifier import SavedClassifier
from sweeper.saved.mlflow_models import download
from sweeper.saved.reference import Found
from sweeper.statistics.comparison import LEVEL, Comparison


@dataclass(frozen=True)
class Promotion:
    """Of one model to an alias of a registered name.

    Attributes:
        uri: the MLflow store.
        name: of the registered model; None for that of the model's study.
        alias: what the model is to become.
        force: whatever the comparison gives.
        say: shows a person a sentence.
    """

    uri: str
    name: str | None
    alias: str
    force: bool
    say: Say

    def run(self, found: Found) -> bool:
        """Promote ``found``; returns whether it holds the alias then.

        Raises:
            MissingInput: there are no test images.
            SweeperError: the champion tells apart other classes, or the store cannot be used.
        """
        challenger = SavedClassifier.load(found.network)
        name, arena = self.name or found.title(challenger.card), Arena.of(challenger)
        registry = Registry(self.uri)  # a database is made where there is none
        holder = registry.holder(name, self.alias)
        tags = {"sweeper.promoted": found.name}
        if holder is not None:
            file, _ = download(f"models:/{name}/{holder}", self.uri)
            if file.read_bytes() == found.network.read_bytes():
                self.say(f"{found.name} is the {self.alias} of {name} already, version {holder}")
                return True
            champion = SavedClassifier.load(file)
            result = self._compared(found, challenger, champion, holder, arena)
            if not self.force and (result is None or not result.wins):
                return False
            tags["sweeper.promoted_over"] = holder
            if result is not None:
                tags["sweeper.p_value"] = f"{result.p_value:.4g}"
        model_id = in_mlflow(found, challenger.card, arena.example, self.uri, self.say)
        version = registry.register(name, model_id, tags)
        registry.point(name, self.alias, version)
        self.say(f"{found.name} is version {version} of {name}, and its {self.alias}")
        self.say(f"use it: python -m sweeper predict models:/{name}@{self.alias} IMAGES...")
        return True

    def _compared(
        self,
        found: Found,
        challenger: SavedClassifier,
        champion: SavedClassifier,
        holder: str,
        arena: Arena,
    ) -> Comparison | None:
        """Compare and say how it went; None where nothing can be compared, and need not be."""
        say = self.say
        try:
            result = contest(challenger, champion, arena)
        except (MissingInput, SweeperError) as error:
            if not self.force:
                raise
            say(f"warning: not compared: {error}")
            return None
        accuracy, loss = (
            [float(np.mean(getattr(one, name))) for one in (result.challenger, result.champion)]
            for name in ("right", "losses")
        )
        say(
            f"{found.name} beside version {holder}, the {self.alias}, on "
            f"{result.images:,} test images:\n"
            f"  accuracy    {accuracy[0]:.4f} against {accuracy[1]:.4f}\n"
            f"  log loss    {loss[0]:.4f} against {loss[1]:.4f}\n"
            f"  difference  {result.spelled()}"
        )
        if challenger.card.data != champion.card.data:
            say(
                f"warning: the {self.alias} was trained on other data; some of these test images "
                "may have trained it"
            )
        if not result.wins:
            more = "promoted all the same" if self.force else "not promoted; --force does"
            say(
                f"{more}: it is not better beyond chance, neither in accuracy (p < {LEVEL}) nor in "
                "log loss at an accuracy that is no lower"
            )
        return result
