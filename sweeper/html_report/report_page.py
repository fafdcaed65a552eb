"""The report of a study as one file, which opens anywhere without a network."""

from collections.abc import Callable, Iterator
from pathlib import Path

from sweeper.disk.files import write_aside
from sweeper.html_report.content import StudyContent, gather
from sweeper.html_report.page_blocks import Section
from sweeper.html_report.rendering import rendered
from sweeper.html_report.sections.answer import answer
from sweeper.html_report.sections.best_so_far import progress
from sweeper.html_report.sections.computation import computation
from sweeper.html_report.sections.confirmed_section import confirmed_section
from sweeper.html_report.sections.data_section import data
from sweeper.html_report.sections.learning_curves import curves
from sweeper.html_report.sections.next_commands import next_commands
from sweeper.html_report.sections.problems import problems
from sweeper.html_report.sections.search_plots import search
from sweeper.html_report.sections.trials_table import trials_table
from sweeper.html_report.sections.winner_section import winner

SECTIONS: tuple[Callable[[StudyContent], Section | None], ...] = (
    answer,
    confirmed_section,
    trials_table,
    progress,
    curves,
    search,
    computation,
    winner,
    data,
    problems,
    next_commands,
)
"""In the order of the page; one that returns None has nothing to show of this study."""


def write_report(folder: Path) -> Path:
    """Write ``report.html`` of the study in ``folder``, as it stands now; returns its path.

    Raises:
        SweeperError: there is no study in that folder.
        OSError: the disk does not take it.
    """
    content = gather(folder)
    write_aside(content.paths.report, rendered(content.about.name, list(_sections(content))))
    return content.paths.report


def _sections(content: StudyContent) -> Iterator[Section]:
    for make in SECTIONS:
        section = make(content)
        if section is not None:
            yield section
