"""The complete trials of a study as Optuna's plots take them: in memory, from their folders."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweeper.display.short_names import short_names
from sweeper.html_report.charts import plain
from sweeper.html_report.content import StudyContent
from sweeper.records import Value

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution


@dataclass(frozen=True, eq=False)
class Searched:
    """A study for Optuna's plots.

    Attributes:
        study: in memory; parameters are called by ``names``, and choices are text that is escaped
            as Plotly needs it.
        names: the short name of each searched parameter, by its key.
    """

    study: "Study"
    names: Mapping[str, str]


def searched(content: StudyContent) -> Searched:
    """The trials with a value for each objective, each with what it was drawn from.

    Values that are no numbers are left out: plots have no place for them.
    """
    import optuna

    drawn = {trial.about.number: _drawn_from(trial.about.distributions) for trial in content.trials}
    keys = list(dict.fromkeys(key for row in content.complete for key in drawn[row.number]))
    names = {key: plain(name) for key, name in short_names(keys).items()}
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # it reports each study that it makes
    kinds = optuna.study.StudyDirection
    directions = [kinds.MAXIMIZE if one else kinds.MINIMIZE for one in content.summary.maximize]
    study = optuna.create_study(directions=directions, study_name=content.about.name)
    for row in content.complete:
        if any(map(math.isnan, row.values)):
            continue
        known = {key: kind for key, kind in drawn[row.number].items() if key in row.params}
        study.add_trial(
            optuna.create_trial(
                values=row.values,
                params={names[key]: _value(kind, row.params[key]) for key, kind in known.items()},
                distributions={names[key]: _shown(kind) for key, kind in known.items()},
            )
        )
    return Searched(study, names)


def _drawn_from(written: Mapping[str, str]) -> "dict[str, BaseDistribution]":
    from optuna.distributions import json_to_distribution

    return {key: json_to_distribution(text) for key, text in written.items()}


def _shown(kind: "BaseDistribution") -> "BaseDistribution":
    """``kind`` with choices as text: plots put numbers on an axis of names as if on a scale."""
    from optuna.distributions import CategoricalDistribution

    if isinstance(kind, CategoricalDistribution):
        return CategoricalDistribution([_text(choice) for choice in kind.choices])
    return kind


def _value(kind: "BaseDistribution", value: Value) -> Value:
    from optuna.distributions import CategoricalDistribution

    return _text(value) if isinstance(kind, CategoricalDistribution) else value


def _text(choice: object) -> str:
    return plain(choice if isinstance(choice, str) else json.dumps(choice))
