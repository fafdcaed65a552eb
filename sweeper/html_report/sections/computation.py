"""What the search cost: who ran when, and what caching and pruning saved."""

from collections.abc import Mapping

import plotly.graph_objects as go

from sweeper.html_report.charts import STATES, styled
from sweeper.html_report.content import StudyContent
from sweeper.html_report.page_blocks import Block, Chart, Facts, Section
from sweeper.html_report.spelled import in_units, span_of_time
from sweeper.records import COMPUTED, SAVED_BY_CACHE, SAVED_BY_PRUNING
from sweeper.report.reader import TrialRecord

_LANE = 26
"""Pixels of the height for each slot."""


def computation(content: StudyContent) -> Section | None:
    """Timeline and savings; None before a trial has begun."""
    if not content.trials:
        return None
    blocks: list[Block] = [_timeline(content), Facts(_ledger(content))]
    return Section("compute", "Time and computation", blocks)


def _ledger(content: StudyContent) -> list[tuple[str, str]]:
    """The sums that the sweep shows when it ends."""
    metrics = [one.metrics for one in content.results.values() if one.counts]

    def total(name: str) -> float:
        return sum(one.get(name, 0.0) for one in metrics)

    computed = total(COMPUTED) + content.prebuilt
    by_cache, by_pruning = total(SAVED_BY_CACHE) - content.prebuilt, total(SAVED_BY_PRUNING)
    facts = [("computed", span_of_time(computed))]
    if by_cache >= 0:
        facts.append(("saved by the cache", span_of_time(by_cache)))
    else:  # few epochs do not pay what was computed for later ones
        facts.append(("spent for the cache, beyond what it saved", span_of_time(-by_cache)))
    facts.append(("saved by pruning", span_of_time(by_pruning)))
    if content.prebuilt:
        facts.append(("of it computed before the trials", span_of_time(content.prebuilt)))
    return facts


def _timeline(content: StudyContent) -> Chart:
    spans = {trial.about.number: _span(content, trial) for trial in content.trials}
    lanes = lanes_of(spans)
    count = max(lanes.values()) + 1
    last = max(end for _, end in spans.values())
    _, unit = in_units([last])
    figure = go.Figure()
    for state, colour in STATES.items():
        mine = [trial for trial in content.trials if str(trial.status) == state]
        if not mine:
            continue
        numbers = [trial.about.number for trial in mine]
        figure.add_bar(
            orientation="h", name=state, marker={"color": colour, "line": {"width": 0.5}},
            y=[f"slot {lanes[number] + 1}" for number in numbers],
            base=[_scaled(spans[number][0], last) for number in numbers],
            x=[_scaled(spans[number][1] - spans[number][0], last) for number in numbers],
            text=[str(number) for number in numbers], textposition="inside",
            insidetextanchor="middle", constraintext="inside",
            customdata=[span_of_time(spans[n][1] - spans[n][0]) for n in numbers],
            hovertemplate="trial %{text}: %{customdata}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(barmode="overlay", bargap=0.15)
    figure.update_xaxes(range=[0, _scaled(last, last) or 1])
    figure.update_yaxes(
        categoryorder="array", categoryarray=[f"slot {lane + 1}" for lane in reversed(range(count))]
    )
    busy = sum(end - begin for begin, end in spans.values())
    share = busy / (last * count) if last else 1.0
    slots = f"{count} slots were" if count > 1 else "The slot was"
    says = (
        f"{slots} busy for {min(share, 1.0):.0%} of the time from the first trial's begin to the "
        "last one's end. A trial takes the first lane that is free, whatever machine it ran on."
    )
    height = 130 + _LANE * count
    return Chart(
        "Who ran when", says, styled(figure, f"{unit} since the first trial began"), height
    )


def _scaled(seconds: float, last: float) -> float:
    return in_units([seconds, last])[0][0]


def _span(content: StudyContent, trial: TrialRecord) -> tuple[float, float]:
    """From when to when it ran, in seconds since the first one began."""
    begin = trial.about.started - content.started
    end = content.made if trial.result is None else trial.result.ended or trial.about.started
    return begin, max(end - content.started, begin)


def lanes_of(spans: Mapping[int, tuple[float, float]]) -> dict[int, int]:
    """The lane of each span, from 0: the first one that is free when it begins.

    As many lanes as spans overlap at most, which is the number of slots that were in use.
    """
    free: list[float] = []
    found: dict[int, int] = {}
    for number, (begin, end) in sorted(spans.items(), key=lambda one: (one[1], one[0])):
        lane = next((at for at, until in enumerate(free) if until <= begin), len(free))
        free[lane : lane + 1] = [end]
        found[number] = lane
    return found
