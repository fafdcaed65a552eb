"""A model that is in a file becomes one that MLflow has."""

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from sweeper.addresses import redact
from sweeper.app.outstanding import spelled, store_of, sync
from sweeper.errors import SweeperError
from sweeper.records import State
from sweeper.report.finding import STUDIES
from sweeper.saved.card import Card
from sweeper.saved.mlflow_models import model_of_run
from sweeper.saved.reference import Found
from sweeper.study_files.lines import read
from sweeper.study_files.mlflow_paths import MlflowPaths
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.track.backend.mlflow import connect
from sweeper.track.backend.mlflow_store import absolute_uri
from sweeper.track.delivered import read_delivered
from sweeper.track.journal import Journal, NewRun, last_run
from sweeper.validation import flatten

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Say = Callable[[str], None]
Example = Callable[[], "NDArray[np.uint8]"]


def store_for(found: Found, uri: str | None, default: str) -> str:
    """The store that a model belongs to: the one that is asked for, else that of its own run."""
    if uri is not None or found.model_id:
        return uri or default
    journal = _journal(found)
    return store_of(journal.paths) or default


def in_mlflow(found: Found, card: Card, example: Example, uri: str, say: Say) -> str:
    """Id of the logged model of ``found`` in the store at ``uri``, delivered there if need be.

    Args:
        found: the model.
        card: what belongs to it.
        example: gives pixels ``[height, width, 3]`` of an image, for people who ask what it takes.
        uri: the store.
        say: shows a person a sentence.

    Raises:
        SweeperError: the store does not take it.
    """
    if found.model_id:
        return found.model_id
    journal = _journal(found)
    recorded = _is_recorded(found, card, journal, uri)
    at = read_delivered(journal.paths).uri
    elsewhere = at not in ("", redact(absolute_uri(uri))) and not journal.paths.model.exists()
    if not recorded or elsewhere:
        from sweeper.saved.mlflow_folder import save_for_mlflow

        save_for_mlflow(found.network, journal.paths.model, example())
        journal.log_model(journal.paths.model)
        journal.end(State.COMPLETE)
    folder = journal.paths.folder.parent
    left = sync(folder, say, uri)
    if left:
        raise SweeperError(spelled(left, folder))
    return model_of_run(connect(uri), read_delivered(journal.paths).run_id, uri)


def _is_recorded(found: Found, card: Card, journal: Journal, uri: str) -> bool:
    """Whether the run has the model already; a run is begun for one that is of no trial's run.

    The run of a trial has one model. Those made later share a folder, one after the other.
    """
    entries = last_run(journal.entries())
    own = {
        "sweeper.role": "model",
        "sweeper.model_hash": hashlib.sha256(found.network.read_bytes()).hexdigest(),
    }
    found_by = entries[0].content["found_by"] if entries else own
    of_trial = found_by["sweeper.role"] != own["sweeper.role"]
    if (of_trial or found_by == own) and any(one.kind == "model" for one in entries):
        return True
    if not of_trial:
        note = f"{found.name}: {card.origin.get('made', 'a file')}."
        experiment = card.parsed_recipe().tracking.experiment
        _begin(found, card, journal, NewRun(redact(uri), experiment, found.name, own, {}, note))
    return False


def _journal(found: Found) -> Journal:
    """Beside the file, where the product made it; else of a folder of its own."""
    folder = found.network.parent
    if found.study is None and not MlflowPaths(folder / "mlflow").journal.exists():
        digest = hashlib.sha256(found.network.read_bytes()).hexdigest()[:8]
        folder = STUDIES / "files" / f"{found.network.stem}-{digest}"
    return Journal(MlflowPaths(folder / "mlflow"))


def _begin(found: Found, card: Card, journal: Journal, run: NewRun) -> None:
    """Begin a run for a model that no trial's run has."""
    journal.start(run)
    journal.log_params(flatten(dict(card.recipe)))
    for line, _ in read(TrialPaths(found.network.parent).metrics):  # of a refit
        journal.log_epoch(line["metrics"], line["step"], line["phase"], line["fold"])
    journal.log_metrics({**card.validation, **card.test}, 0)
