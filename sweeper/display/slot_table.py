"""The slots of a study as a table: what each is at, and with which parameters."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

from rich.text import Text

from sweeper.display.interface import Outline
from sweeper.display.text_lines import columns, folded
from sweeper.display.trial_text import described, elapsed, number, one_line, point
from sweeper.records import Advance, EpochReport, TrialSpec


@dataclass(frozen=True)
class Running:
    """What a slot is at."""

    spec: TrialSpec
    started: float
    report: EpochReport | None = None
    advance: Advance | None = None

    @property
    def point(self) -> str:
        """How far it is; of work that takes long the share that is done."""
        if self.advance is not None and self.advance.done < self.advance.total:
            share = self.advance.done / self.advance.total
            return f"{one_line(self.advance.work)} {share:.0%}"
        return point(self.report) if self.report else "starting"


def slot_table(
    outline: Outline, running: Mapping[int, Running], now: float, shown: int, below: int, width: int
) -> list[Text]:
    """A header and a line for each of the first ``shown`` slots.

    Below each are ``below`` lines with its parameters; with 0 they end its own line. ``now`` is in
    seconds of the clock of ``running``, ``width`` is the terminal's, in columns.
    """
    header = ["slot", "place", "trial", "progress", one_line(outline.reported), "time"]
    rows, params = list[list[str]](), list[tuple[str, ...]]()
    for slot, place in enumerate(outline.slots[:shown]):
        at = running.get(slot)
        if at is None:
            rows.append([str(slot), one_line(place), "", "waiting", "", ""])
            params.append(())
            continue
        report, spec = at.report, at.spec
        rows.append(
            [
                str(slot),
                one_line(place),
                str(spec.number),
                at.point,
                number(report.value) if report else "",
                elapsed(now - at.started),
            ]
        )
        params.append(described(spec.params, outline.parameters))
    table = columns([header, *rows], to_the_right={0, 2, 4, 5})
    table[0].stylize("dim")
    for line, row in zip(table[1:], rows, strict=True):
        if not row[2]:
            line.stylize("dim")
    both = zip(table[1:], params, strict=True)
    if below < 1:
        table[0].append("  parameters", style="dim")
        return [table[0], *(line.append("  " + "  ".join(parts)) for line, parts in both)]
    indent = len(header[0]) + 2
    lines = [[line, *folded(parts, width, below, indent)] for line, parts in both]
    return [table[0], *itertools.chain.from_iterable(lines)]
