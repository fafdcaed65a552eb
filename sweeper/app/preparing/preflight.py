"""Before the first trial of a study: its recipes are checked, what they share is computed."""

import contextlib
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from sweeper.app.preparing.readiness import check_ready
from sweeper.config import HIGHER_IS_BETTER, OF_EPOCHS, Recipe, unused_overrides, warnings
from sweeper.display.console import open_console
from sweeper.display.stage_progress import Stages
from sweeper.errors import Findings, Outage, SweeperError
from sweeper.execute.executor import Channel, Executor, run_logged
from sweeper.records import Advance, Prepared
from sweeper.validation import parse


def check(candidates: Sequence[DictConfig]) -> list[Recipe]:
    """Parse every candidate, and look whether what they name is there.

    Raises:
        ConfigError, MissingInput: with every fault of the candidates.
    """
    findings = Findings()
    recipes: list[Recipe] = []
    for candidate in candidates:
        with findings.collected():
            recipes.append(parse(candidate))
    findings.add(direction_faults(recipes[:1], candidates[0].hydra.sweeper.direction))
    findings.add(confirm_faults(recipes))
    findings.add(error_faults(recipes[:1], candidates[0].hydra.sweeper.get("min_gain")))
    check_ready(candidates, findings)
    findings.raise_if_any()
    return recipes


def prepare(
    recipes: Sequence[Recipe], overrides: Sequence[Sequence[str]], executor: Executor, log: Path
) -> Prepared:
    """Fetch the data and weights that ``recipes`` name, in a process; show what is noticed.

    Args:
        recipes: the corners of the search.
        overrides: of each, what a person set and what is searched.
        executor: runs the process.
        log: its output.

    Raises:
        SweeperError: what they name is not there, or does not fit.
    """
    # the fork server starts meanwhile
    threading.Thread(target=_import_store, args=(recipes[0].tracking.uri,), daemon=True).start()

    def work(channel: Channel) -> Prepared:
        from sweeper.train.prepare import prepare

        return prepare(recipes, lambda *advance: channel.note(Advance(*advance)))

    console = open_console()
    with Stages(console, "starting TensorFlow, looking for data and weights") as stages:
        prepared: Prepared = run_logged(executor, work, log, stages)
    advice = [text for recipe in recipes for text in warnings(recipe)]
    advice += unused_overrides(recipes, overrides)
    noticed = dict.fromkeys([*prepared.noticed, *(f"warning: {text}" for text in advice)])
    for text in noticed:
        console.print(text, soft_wrap=True)
    return replace(prepared, noticed=tuple(noticed))


def direction_faults(recipes: Sequence[Recipe], direction: Any) -> list[str]:
    """What is wrong with ``hydra.sweeper.direction`` for what the recipes are judged by."""
    directions = [direction] if isinstance(direction, str) else list(direction)
    faults = []
    for recipe in recipes:
        good = ["maximize" if HIGHER_IS_BETTER[name] else "minimize" for name in recipe.objectives]
        if directions != good:
            wanted = good[0] if len(good) == 1 else f"[{','.join(good)}]"
            faults.append(
                f"hydra.sweeper.direction must be {wanted} for objectives="
                f"[{','.join(recipe.objectives)}], got {direction}"
            )
    return faults


def confirm_faults(recipes: Sequence[Recipe]) -> list[str]:
    """What is wrong where trials differ in what follows the search."""
    if all(recipe.confirm == recipes[0].confirm for recipe in recipes):
        return []
    return ["confirm is of the whole study and cannot be searched; give it one value"]


def error_faults(recipes: Sequence[Recipe], min_gain: Any) -> list[str]:
    """What is wrong with ``hydra.sweeper.min_gain`` for what the recipes are judged by."""
    return [
        "hydra.sweeper.min_gain=error is for objectives that are measured on images "
        f"({', '.join(OF_EPOCHS)}), got objectives=[{recipe.objectives[0]}]; give a number"
        for recipe in recipes
        if min_gain == "error" and recipe.objectives[0] not in OF_EPOCHS
    ]


def prebuild(recipes: Sequence[Recipe], executor: Executor, log: Path) -> tuple[float, str]:
    """Compute what all trials share, in a process.

    Returns:
        Seconds that it took, and what trials may know of their networks, as JSON.
    """
    # a new store takes MLflow seconds, in which the processor has other work
    opening = threading.Thread(target=_open_store, args=(recipes[0].tracking.uri,), daemon=True)
    opening.start()
    made = compute_shared([recipes], executor, log)
    opening.join()
    return made


def compute_shared(
    groups: Sequence[Sequence[Recipe]], executor: Executor, log: Path
) -> tuple[float, str]:
    """Compute, in a process, what the trials of each group share.

    Returns:
        Seconds that it took, and what trials may know of their networks, as JSON.
    """

    def work(channel: Channel) -> tuple[float, str, int, int]:
        from sweeper.train.building import to_json
        from sweeper.train.prebuild import prebuild

        made = [
            prebuild(recipes, lambda *advance: channel.note(Advance(*advance)))
            for recipes in groups
        ]
        known = [one for of_group in made for one in of_group.known]
        seconds = sum(one.seconds for one in made)
        # text: what it is of would load Keras here
        text = to_json(known)
        return seconds, text, sum(one.computed for one in made), sum(one.reused for one in made)

    console = open_console()
    try:
        with Stages(console, "looking for what earlier trials have computed") as stages:
            seconds, known, computed, reused = executor.run(work, log, stages)
    except Outage:
        raise
    except SweeperError as error:
        # a trial that cannot do it either says so itself, and may be tried again
        reason = str(error).splitlines()[0]
        text = f"warning: what trials share was not computed before them: {reason}; log: {log}"
        console.print(text, soft_wrap=True)
        return 0.0, "[]"
    if reused:
        text = (
            f"features of {reused:,} images (each view) are known from earlier sweeps; those of "
            f"{computed:,} were computed in {seconds:.1f} s"
        )
        console.print(text, soft_wrap=True)
    return seconds, known


def _import_store(uri: str) -> None:
    """Have MLflow imported before it is needed: 1.7 s of the 2.7 s that opening a store takes."""
    from sweeper.track.backend.mlflow_store import import_store

    with contextlib.suppress(Exception):  # the study says so when it opens its run
        import_store(uri)


def _open_store(uri: str) -> None:
    """Have its tables made before they are needed."""
    from sweeper.track.backend.mlflow import connect
    from sweeper.track.backend.mlflow_store import absolute_uri

    with contextlib.suppress(Exception):  # the study says so when it opens its run
        connect(absolute_uri(uri))
