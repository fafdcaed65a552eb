"""The study of a request: begun, or continued as the one that it was."""

from collections.abc import Callable

import optuna

from sweeper.errors import ConfigError
from sweeper.search.attributes import FOLDER, STUDY_ID, THREADS
from sweeper.search.hooks import StudyHooks
from sweeper.search.queue import warm_start
from sweeper.search.request import Request
from sweeper.search.settings.samplers import build_pruner
from sweeper.search.settings.sweep_settings import WarmStart
from sweeper.search.stores.exclusive import Store
from sweeper.search.study import (
    Study,
    check_fingerprint,
    find_study,
    open_study,
    put_aside,
    remove_empty,
)

Say = Callable[[str], None]
"""Shows a person a sentence."""


def begin_or_continue(request: Request, store: Store, hooks: StudyHooks, say: Say) -> Study:
    """Open the study that ``request`` names, behind the gate of ``store``.

    Raises:
        ConfigError: a study of that name has another recipe, space or direction, or what it shall
            learn from is not there.
        SweeperError: it cannot be put aside, since another controller runs its trials.
    """
    settings = request.settings
    known, study_id = find_study(request.name, store), None
    if known is not None and not settings.resume:
        say(f"the study so far is kept as {put_aside(known, store, request.folder)}")
    elif known is not None:
        study_id = remove_empty(known, store)
    for text in request.notes:
        say(text)
    pruner = build_pruner(settings.pruner)
    if len(settings.directions) > 1 and not isinstance(pruner, optuna.pruners.NopPruner):
        say("pruning is off: Optuna prunes studies of one objective only")
    study = open_study(request.name, store, settings.directions, request.sampler, pruner)
    if study_id is not None:
        study.set_user_attr(STUDY_ID, study_id)
    check_fingerprint(study, request.fingerprint(hooks.fingerprint))
    if FOLDER not in study.user_attrs:
        study.set_user_attr(FOLDER, str(request.folder))
    _keep_threads(request, study, say)
    if settings.warm_start is not None:
        _warm_start(request, study, settings.warm_start, store, say)
    return study


def _keep_threads(request: Request, study: Study, say: Say) -> None:
    """Give trials as many threads as the study began with: curves depend on their number."""
    asked, began = request.settings.executor.threads, study.user_attrs.get(THREADS)
    if began is None:
        study.set_user_attr(THREADS, request.threads)
    elif asked is not None and asked != began:
        say(
            f"warning: the study began with {began} threads a trial and continues with "
            f"{asked}: curves of the same parameters and seed may differ between the two; "
            "leave out executor.threads to keep them comparable"
        )
    elif began != request.threads:
        say(f"each trial has {began} threads, as the study began")
        request.use_threads(began)


def _warm_start(request: Request, study: Study, source: WarmStart, store: Store, say: Say) -> None:
    storage = source.storage or store.storage
    try:
        other = optuna.load_study(study_name=source.study_name, storage=storage)
    except KeyError:
        names = ", ".join(optuna.get_all_study_names(storage)) or "none"
        raise ConfigError(
            [f"hydra.sweeper.warm_start: there is no study {source.study_name}; known: {names}"]
        ) from None
    taken = warm_start(study, other, request.space.accepts)
    if taken:
        say(f"the sampler knows {taken} trials of study {source.study_name}")
