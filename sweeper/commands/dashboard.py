"""``sweeper dashboard``: optuna-dashboard on a store, each trial with a link to its MLflow run."""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from optuna import Study

    from sweeper.report.reader import StudyReader

_MARK = "<!-- written by sweeper -->"
"""How our notes begin: one that a person has written stays."""


@click.command("dashboard")
@click.option(
    "--storage",
    default="sqlite:///experiments/studies.db",
    show_default=True,
    help="Store of the studies (hydra.sweeper.storage).",
)
@click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True)
@click.option(
    "--mlflow",
    "ui",
    default="http://127.0.0.1:5000",
    show_default=True,
    help="Address of MLflow's page, for runs that are in no server.",
)
def command(storage: str, port: int, ui: str) -> None:
    """Open optuna-dashboard on the studies of a store, at http://127.0.0.1:PORT.

    The note of each trial links to its run in MLflow, as far as the studies' folders are below
    experiments/. Notes that you write stay.
    """
    from sweeper.errors import MissingInput
    from sweeper.report.finding import studies
    from sweeper.search.stores.opening import open_to_look

    if find_spec("optuna_dashboard") is None:
        raise MissingInput(
            "sweeper dashboard needs optuna-dashboard: pip install 'sweeper-finetune[dashboard]'"
        )

    import optuna
    from optuna_dashboard import run_server

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    opened = open_to_look("--storage", storage)
    known = {reader.about.study: reader for reader in studies()}
    for name in optuna.get_all_study_names(opened):
        # the sampler is asked nothing here: any will do
        sampler = optuna.samplers.RandomSampler()
        study = optuna.load_study(study_name=name, storage=opened, sampler=sampler)
        reader = known.get(study.user_attrs.get("study_id", ""))
        if reader is not None:
            _link(study, reader, ui.rstrip("/"))
    run_server(opened, host="127.0.0.1", port=port)


def _link(study: "Study", reader: "StudyReader", ui: str) -> None:
    """Write the notes of ``study`` and of its trials."""
    from optuna.trial import Trial
    from optuna_dashboard import get_note, save_note

    def note(about: "Study | Trial", text: str) -> None:
        before, after = get_note(about), f"{_MARK}\n{text}"
        if before != after and (not before or before.startswith(_MARK)):
            save_note(about, after)

    links = dict(_links(reader, ui))
    if None in links:
        note(study, f"[The study's run in MLflow]({links[None]})")
    for frozen in study.get_trials(deepcopy=False):
        if frozen.number in links:
            text = f"[Trial {frozen.number} in MLflow]({links[frozen.number]})"
            note(Trial(study, frozen._trial_id), text)


def _links(reader: "StudyReader", ui: str) -> Iterator[tuple[int | None, str]]:
    """Addresses of the runs that MLflow has, by the number of the trial; None is the study."""
    from sweeper.study_files.mlflow_paths import MlflowPaths
    from sweeper.study_files.trial_paths import TrialPaths
    from sweeper.track.delivered import read_delivered

    places: dict[int | None, MlflowPaths] = {None: reader.paths.mlflow}
    places |= {one.about.number: TrialPaths(one.folder).mlflow for one in reader.trials()}
    for number, paths in places.items():
        delivered = read_delivered(paths)
        if delivered.run_id:
            server = delivered.uri if delivered.uri.startswith("http") else ui
            yield number, f"{server}/#/runs/{delivered.run_id}"
