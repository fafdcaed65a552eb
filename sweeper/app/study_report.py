"""The report of a study, written when its sweep ends, and logged to the study's run."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from sweeper.display.console import open_console
from sweeper.display.stage_progress import Stages
from sweeper.errors import Outage, SweeperError
from sweeper.execute.executor import Channel, Executor, Placement, WorkFiles
from sweeper.paths import shown_path
from sweeper.records import Advance
from sweeper.study_files.study_paths import StudyPaths

if TYPE_CHECKING:
    from sweeper.app.runs import StudyRuns


def make_report(
    runs: "StudyRuns",
    executor: Executor,
    place: Placement,
    say: Callable[[str], None],
    *,
    examine: bool,
) -> bool:
    """Write ``report.html``, in a process; a study is finished without one too.

    Args:
        runs: of the study.
        executor: runs the process.
        place: where it may compute.
        say: shows a person what the report lacks.
        examine: whether the data is looked at for faults too, which takes as long as an epoch.

    Returns:
        Whether it was written.

    Raises:
        Outage: the machine fails.
    """
    paths = runs.paths

    def work(channel: Channel) -> list[str]:
        from sweeper.html_report.report_page import write_report
        from sweeper.report_material.material import make_material

        def advance(work: str, done: int, total: int) -> None:
            channel.note(Advance(work, done, total))

        faults = make_material(paths, advance, examine=examine)
        write_report(paths.folder)
        return faults

    try:
        with Stages(open_console(), "writing the report") as stages:
            faults: list[str] = executor.run(
                work, paths.report_log, stages, place, files=_files_of(paths)
            )
    except Outage:
        raise
    except SweeperError as error:
        reason = str(error).splitlines()[0]
        say(f"warning: no report was written: {reason}; log: {shown_path(paths.report_log)}")
        return False
    for fault in faults:
        say(f"warning: the report lacks something: {fault}")
    runs.study.log_file(paths.report, "")
    return True


def _files_of(paths: StudyPaths) -> WorkFiles:
    """What a report is made of: all but models, of which the best trials' alone are there."""
    needed = [
        path
        for path in paths.folder.rglob("*")
        if path.is_file() and paths.archive("") not in path.parents and path.suffix != ".keras"
    ]
    return WorkFiles((paths.report, paths.report_files, paths.data_report), tuple(needed))
