"""The first section: which trial is best, how sure that is, and how the study stands."""

from collections.abc import Iterator
from datetime import UTC, datetime

from sweeper.display.wording import brief, spelled_test
from sweeper.html_report.content import StudyContent, better
from sweeper.html_report.page_blocks import Block, Facts, Paragraph, Section
from sweeper.html_report.spelled import interval, span_of_time
from sweeper.records import State
from sweeper.search.space.cases import bare
from sweeper.statistics.standings import Place
from sweeper.study_files.result import Status


def answer(content: StudyContent) -> Section:
    """What a person came for, in one sentence, and the state of the study in a few numbers."""
    blocks: list[Block] = [Paragraph(_sentence(content), strong=True)]
    blocks += [Paragraph(text) for text in _more(content)]
    return Section("answer", "Result", [*blocks, Facts(_facts(content))])


def _sentence(content: StudyContent) -> str:
    best, summary = content.best, content.summary
    counted = [row for row in summary.rows if row.counts]
    if best is None:
        if not counted:
            return "No trial has ended yet."
        states = [row.state for row in counted]
        counts = ", ".join(f"{states.count(one)} {one}" for one in State if one in states)
        return f"No trial is complete: {counts}. See the warnings and failures below."
    if not content.single:
        front = ", ".join(str(row.number) for row in summary.front)
        several = len(summary.front) > 1
        what = f"trials {front} form the Pareto front" if several else f"trial {front} is best"
        return (
            f"Of {len(content.complete)} complete trials, {what}: no other trial is better in "
            f"{' or '.join(summary.value_names)} without being worse in another."
        )
    again = content.confirmed.winner if content.confirmed is not None else None
    if again is not None and content.objective in again.means:
        mean, seeds = again.means[content.objective], sum(bool(run.figures) for run in again.runs)
        ends = interval(mean)
        return (
            f"Trial {best.number} is the best of {len(content.complete)} complete trials by the "
            f"mean of {seeds} further seeds: {content.objective} {mean.value:.4g}"
            f"{ends and f' ({ends})'}; the search had measured {best.values[0]:.4g}."
        )
    standing = content.standings.get(best.number)
    sure = interval(standing.figure) if standing else ""
    trials = f"{len(content.complete)} complete trials"
    what = f"Trial {best.number} is the best of {trials}"
    if len(content.complete) == 1:
        what = f"Trial {best.number} is the only complete trial"
    return f"{what}: {content.objective} {best.values[0]:.4g}{sure and f' ({sure})'}."


def _more(content: StudyContent) -> Iterator[str]:
    best = content.best
    if best is None:
        return
    tied = [n for n, one in content.standings.items() if one.place is Place.TIED]
    predicted = content.predictions
    if tied and predicted is not None:
        several = len(tied) > 1
        trials = f"{len(tied)} other trials are" if several else f"Trial {tied[0]} is"
        yield (
            f"{trials} tied with it: on {len(predicted.labels):,} validation images the difference "
            "may be chance."
        )
    tested = content.results[best.number].tested
    if tested:
        yield f"Its model on images that no trial saw: {spelled_test(tested)}."
    elif content.running:
        yield "It is tested when the sweep ends."
    if content.gain is not None:
        text = content.gain.spelled(content.objective)
        yield f"{text[0].upper()}{text[1:]}."
    if best.params:
        chosen = ", ".join(f"{bare(key)}={brief(value)}" for key, value in best.params.items())
        yield f"It has {chosen}."
    result = content.results[best.number]
    if result.sanity not in ("", "ok"):
        yield f"Distrust it: its loss check says {result.sanity}: {result.sanity_reason}."


def _facts(content: StudyContent) -> list[tuple[str, str]]:
    states = [trial.status for trial in content.trials if _counts(content, trial.about.number)]
    facts = [(str(one), f"{states.count(one):,}") for one in Status if one in states]
    ended = max((one.ended for one in content.results.values()), default=content.started)
    last = content.made if content.running else max(ended, content.started)
    facts.append(("from first to last", span_of_time(last - content.started)))
    how = ", ".join(
        f"{name}{': ' * bool(better(name))}{better(name)}" for name in content.summary.value_names
    )
    facts.append(("judged by", how))
    made = datetime.fromtimestamp(content.made, UTC)
    facts.append(("report made", f"{made:%Y-%m-%d %H:%M} UTC"))
    return facts


def _counts(content: StudyContent, number: int) -> bool:
    result = content.results.get(number)
    return result is None or result.counts
