"""Which study a person means: by its name, or by its folder."""

from collections.abc import Iterator
from pathlib import Path

from sweeper.config import nearest
from sweeper.errors import MissingInput
from sweeper.report.reader import StudyReader
from sweeper.study_files.study_paths import StudyPaths

STUDIES = Path("experiments")


def study_named(study: str) -> StudyReader | None:
    """The study in the folder ``study``, else of that name below :data:`STUDIES`, else None."""
    for folder in (Path(study).expanduser(), STUDIES / study):
        if StudyPaths(folder).about.is_file():
            return StudyReader(folder)
    return None


def open_study(study: str) -> StudyReader:
    """The same, where nothing else can be meant.

    Raises:
        MissingInput: there is none; names where it was looked for, and what is alike.
    """
    found = study_named(study)
    if found is None:
        raise MissingInput(
            f"there is no study {study!r}: it is no folder of a study, and no study in "
            f"{STUDIES.absolute()}{hint(study)}"
        )
    return found


def studies() -> list[StudyReader]:
    """Those below :data:`STUDIES`."""
    return [StudyReader(folder) for folder in _folders()]


def hint(study: str) -> str:
    """The name that is most like ``study``, else all that there are, as the end of a sentence."""
    names = sorted(folder.name for folder in _folders())
    known = f"; studies here: {', '.join(names)}" if names else "; no study is here"
    return nearest(study, names) or known


def _folders() -> Iterator[Path]:
    if STUDIES.is_dir():
        for folder in STUDIES.iterdir():
            if StudyPaths(folder).about.is_file():
                yield folder
