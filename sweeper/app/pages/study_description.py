"""The description of a study's run in MLflow: its result, its best trials, what to do next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sweeper.app.pages.descriptions import short_words
from sweeper.config import OF_EPOCHS
from sweeper.display.leaderboard import ranked
from sweeper.display.markdown import code, code_table, table
from sweeper.display.wording import brief, command, spelled_values
from sweeper.paths import shown_path
from sweeper.records import State, StudySummary, TrialRow
from sweeper.search.space.cases import bare

_BEST = 10
"""Trials in the table."""
_MOST_PARAMETERS = 8
"""Columns of it; MLflow's page is no wider."""


@dataclass(frozen=True)
class StudyDescription:
    """What does not change while a sweep runs.

    Attributes:
        recipe: its name.
        study_id: by which MLflow finds the trials.
        space: the searched parameters, as recipes write them.
        words: the sweep's command line.
    """

    recipe: str
    study_id: str
    space: Mapping[str, str]
    words: Sequence[str]

    def text(self, summary: StudySummary, tested: str = "", again: str = "") -> str:
        """Markdown about the study as it stands, the most important first.

        Links are those of :func:`~sweeper.track.backend.run_note.linked`; a trial's run is called
        by its number. ``tested`` is what the test of the winner gave, empty before it; ``again``
        what its runs with other seeds say, empty without any.
        """
        return "\n\n".join(
            [
                _result(summary, tested),  # MLflow folds all but the first lines
                *([f"With other seeds: {again}."] if again else []),
                self._pages(summary),
                *_leaderboard(summary),
                self._commands(summary),
                self.intent(summary),
                *code_table("searched parameter", "values", self.space),
                f"Files: {code(summary.folder)}",
            ]
        )

    def intent(self, summary: StudySummary) -> str:
        """What is searched for."""
        wanted = " and ".join(
            f"the {'highest' if maximize else 'lowest'} {code(name)}"
            for name, maximize in zip(summary.value_names, summary.maximize, strict=True)
        )
        return (
            f"A search over the recipe {code(self.recipe)} for {wanted}. Each trial is a run below "
            "this one."
        )

    def _pages(self, summary: StudySummary) -> str:
        """Links to the table of trials, to their curves, and to the report of the study."""
        name, ascending = summary.value_names[0], not summary.maximize[0]
        metric = f"best_{name}" if name in OF_EPOCHS else name
        trials = f"tags.`sweeper.study_id` = '{self.study_id}' and tags.`sweeper.role` = 'trial'"
        every = (
            f"experiment:/runs?workflowType=machine_learning&searchFilter={quote(trials, safe='')}"
            f"&orderByKey={quote(f'metrics.`{metric}`')}&orderByAsc={str(ascending).lower()}"
        )
        return (
            f"[All trials, the best first]({every}) · [their curves]({every}&compareRunsMode=CHART)"
            " · [report.html](run:/artifacts/report.html), once the sweep has ended"
        )

    def _commands(self, summary: StudySummary) -> str:
        model = str(shown_path(summary.folder))
        lines = {
            "resume, or see the results again": command(self.words),
            "predict with the best model": f"sweeper predict {model} IMAGES",
            "register the best model": f"sweeper promote {model}",
        }
        listed = "\n".join(f"- {what}: {code(line)}" for what, line in lines.items())
        return f"Commands, in the folder {code(Path.cwd())}:\n{listed}"


def _result(summary: StudySummary, tested: str) -> str:
    states = [row.state for row in summary.rows if row.counts]
    counts = ", ".join(f"{states.count(state)} {state}" for state in State)
    trials = f"{len(states)} {'trial' if len(states) == 1 else 'trials'}"
    text = f"**Result:** {trials} ({counts})"
    best = summary.best
    if best is None:
        return f"{text}; none is complete yet."
    values = spelled_values(dict(zip(summary.value_names, best.values, strict=True)))
    front = f", one of {len(summary.front)} on the Pareto front" * (len(summary.maximize) > 1)
    text = f"{text}. Best is {_link(best)}{front}: **{code(values)}**"
    return f"{text}; {tested}." if tested else f"{text}."


def _leaderboard(summary: StudySummary) -> list[str]:
    """The best complete trials; nothing where there is none."""
    best = [row for row in ranked(summary) if row.values][:_BEST]
    if not best:
        return []
    names = list(dict.fromkeys(name for row in best for name in row.params))[:_MOST_PARAMETERS]
    shown = short_words(map(bare, names)).values()
    headers = ["trial", *map(code, [*summary.value_names, "seconds", *shown])]
    rows = [
        [
            _link(row),
            *(f"{value:#.4g}" for value in row.values),
            f"{row.seconds:.0f}",
            *(code(brief(row.params[name])) if name in row.params else "" for name in names),
        ]
        for row in best
    ]
    return [table(headers, rows)]


def _link(row: TrialRow) -> str:
    return f"[{row.number:04d}](run:{row.number})"
