"""Which classifier a person means by MODEL: a study, a run, a registered model, or a file."""

import re
from dataclasses import dataclass
from pathlib import Path

from sweeper.errors import MissingInput, SweeperError
from sweeper.records import TrialRow
from sweeper.report.finding import STUDIES, hint, study_named
from sweeper.report.reader import StudyReader
from sweeper.saved.card import Card
from sweeper.study_files.trial_paths import TrialPaths

_RUN_ID = re.compile(r"[0-9a-f]{32}")
_SUFFIX = ".keras"


@dataclass(frozen=True)
class Found:
    """A classifier.

    Attributes:
        network: its file.
        name: what a person calls it.
        study: whose trial it is of, None where it is of none.
        trial: number of that trial.
        model_id: of the logged model in MLflow that the file was copied from, else empty.
    """

    network: Path
    name: str
    study: StudyReader | None = None
    trial: int | None = None
    model_id: str = ""

    def title(self, card: Card) -> str:
        """Name of its study, else of the recipe that it was trained by."""
        return self.study.about.name if self.study is not None else str(card.recipe["name"])


def find(model: str, trial: int | None, uri: str) -> Found:
    """The classifier that ``model`` means.

    Args:
        model: name or folder of a study (its winner), id of an MLflow run, ``runs:/ID``,
            ``models:/NAME@ALIAS``, ``models:/NAME/VERSION``, or a ``.keras`` file.
        trial: another trial of the study.
        uri: the MLflow store.

    Raises:
        MissingInput: it means nothing; names where it was looked for, and what is alike.
        SweeperError: it is known, and its network is not there.
    """
    from_mlflow = model.startswith(("models:/", "runs:/")) or _RUN_ID.fullmatch(model)
    if trial is not None and (from_mlflow or model.endswith(_SUFFIX)):
        raise MissingInput(f"--trial is for the name or the folder of a study, got {model}")
    if from_mlflow:
        from sweeper.saved.mlflow_models import download

        network, model_id = download(model, uri)
        return Found(network, model, model_id=model_id)
    path = Path(model).expanduser()
    if path.is_file():
        if path.suffix != _SUFFIX:
            raise MissingInput(f"{model} is a file, but no {_SUFFIX} file")
        return Found(path, model)
    study = study_named(model)
    if study is not None:
        return _of_study(study, trial)
    raise MissingInput(
        f"there is no model {model!r}: it is no file, no folder of a study, and no study in "
        f"{STUDIES.absolute()}{hint(model)}"
    )


def _of_study(study: StudyReader, number: int | None) -> Found:
    summary = study.summary()
    name = study.about.name
    if number is None:
        if summary.best is None:
            raise SweeperError(f"study {name} has no winner yet: no trial is complete")
        return _of_trial(study, summary.best, "the winner")
    for row in summary.rows:
        if row.number == number:
            return _of_trial(study, row, f"trial {number}")
    numbers = ", ".join(str(row.number) for row in summary.rows) or "none"
    raise MissingInput(f"study {name} has no trial {number} that has ended; it has: {numbers}")


def _of_trial(study: StudyReader, row: TrialRow, what: str) -> Found:
    network, name = TrialPaths(row.folder).model, study.about.name
    if not network.is_file():
        raise SweeperError(
            f"{what} of study {name} has no {network.name} in {row.folder}: models are kept of "
            "the best trials alone, and made when the sweep ends; run the sweep to its end"
        )
    return Found(network, f"{what} of {name} (trial {row.number})", study, row.number)
