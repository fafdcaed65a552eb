"""A single fine-tune: faults in one message, epochs on the screen, files in its own folder."""

import contextlib
import os
import sys
import traceback
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from sweeper.addresses import redact
from sweeper.app.outstanding import is_first_look, say_outstanding
from sweeper.app.recorded import train
from sweeper.app.start import Start
from sweeper.config import Recipe, unused_overrides, warnings
from sweeper.display.wording import command, spelled_test, ui_command
from sweeper.errors import (
    ConfigError,
    MissingInput,
    SweeperError,
    TrialFailed,
    TrialPruned,
)
from sweeper.execute.executor import Asked, Placement
from sweeper.execute.failures import failure
from sweeper.execute.output import output_to
from sweeper.execute.process import ProcessExecutor
from sweeper.exits import reported, stopped_by_signals
from sweeper.records import Advance, EpochReport, Owner, State, TrialSpec
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.track.delivery import Delivery
from sweeper.track.journal import Journal, NewRun
from sweeper.validation import parse


def fine_tune_alone(config: DictConfig) -> tuple[float, ...]:
    """Fine-tune once, for a person; ends the process with one message where that fails."""
    from hydra.core.hydra_config import HydraConfig

    hydra = HydraConfig.get()
    paths = TrialPaths(Path(hydra.runtime.output_dir))
    with reported(_interruption(paths)), stopped_by_signals():
        recipe = parse(config)
        os.environ.update(_place(recipe).environment)  # before TensorFlow looks for devices
        try:
            with output_to(paths.log) as screen, _failures_in_log():
                return _run(recipe, paths, list(hydra.overrides.task), screen)
        except (ConfigError, MissingInput):
            Start.undo()
            raise
        except TrialPruned as pruned:
            raise SweeperError(f"stopped: {pruned.reason}\nlog: {paths.log}") from None
        except TrialFailed as failed:
            raise SweeperError(f"{failed.reason}\nlog: {paths.log}") from None


@contextlib.contextmanager
def _failures_in_log() -> Iterator[None]:
    """Within the block what no one expects goes to the log, with its traceback.

    Raises:
        TrialFailed, MachineFault: in one sentence what happened.
    """
    try:
        yield
    except (SweeperError, BrokenPipeError):
        raise
    except Exception as error:
        with contextlib.suppress(OSError):
            traceback.print_exc()
        raise failure(error) from error


def _interruption(paths: TrialPaths) -> Callable[[], str]:
    def say() -> str:
        if not paths.checkpoints:
            return "interrupted"
        words = [word for word in sys.argv[1:] if not word.startswith("hydra.run.dir=")]
        return f"interrupted\nto continue: {command([*words, f'hydra.run.dir={paths.folder}'])}"

    return say


def _place(recipe: Recipe) -> Placement:
    executor = recipe.executor
    asked = Asked(executor.devices, None, n_jobs=1, threads=executor.threads)
    (placement,) = ProcessExecutor.placements(asked)
    return placement


def _run(recipe: Recipe, paths: TrialPaths, overrides: list[str], screen: Any) -> tuple[float, ...]:
    from rich.console import Console

    from sweeper.display.interface import Outline
    from sweeper.display.line_progress import LineProgress
    from sweeper.display.stage_progress import Stages
    from sweeper.train.folds import settled
    from sweeper.train.prepare import prepare
    from sweeper.train.runtime import numerics
    from sweeper.train.winning_model import finish

    console = Console(file=screen, width=200, markup=False, emoji=False)
    lines = LineProgress(console, Outline(total=1))
    numerics.set_up(recipe)  # TensorFlow reads what XLA is to do once, before its first operation
    advice = [*warnings(recipe), *unused_overrides([recipe], [overrides])]
    with Stages(console, "looking for data and weights") as stages:
        prepared = prepare([recipe], lambda *advance: stages.note(Advance(*advance)))
    for text in [*prepared.data, *prepared.noticed, *(f"warning: {text}" for text in advice)]:
        lines.note(text)
    recipe = settled(recipe)
    spec = TrialSpec(0, {}, tuple(overrides), paths.folder)

    def on_screen(
        value: float,
        step: int,
        phase: str,
        metrics: Any,
        *,
        compared: bool,
        steps: int | None,
    ) -> None:
        if metrics:
            lines.epoch(0, spec, EpochReport(step, value, phase, metrics, compared, steps))

    def on_advance(work: str, done: int, total: int) -> None:
        lines.advance(0, spec, Advance(work, done, total))

    owner = Owner(uuid.uuid4().hex)
    with _recorded(recipe, paths, overrides, owner, lines.note) as delivery:
        trained = train(recipe, paths, on_screen, owner, prune_high=False, on_advance=on_advance)
        test = finish(recipe, paths, owner, on_advance)
    named = zip(recipe.objectives, trained.values, strict=True)
    results = ", ".join(f"{name} {value:.4g}" for name, value in named)
    lines.note(f"{results}, {spelled_test(test)}")
    if "sanity.reason" in trained.tags:
        lines.note(f"warning: do not trust this run: {trained.tags['sanity.reason']}")
    lines.note(f"files: {paths.folder}\ncompare runs: {ui_command(delivery.store.uri)}")
    return trained.values


@contextlib.contextmanager
def _recorded(
    recipe: Recipe,
    paths: TrialPaths,
    overrides: list[str],
    owner: Owner,
    say: Callable[[str], None],
) -> Iterator[Delivery]:
    """Within the block the run is open, and what is recorded of it is delivered to MLflow.

    Raises:
        TrackerError: the store cannot be opened, and nobody has looked at it before.
    """
    from sweeper.app.pages.descriptions import alone_name, alone_note

    delivery, journal = Delivery(recipe.tracking.uri, say), Journal(paths.mlflow)
    journal.start(
        NewRun(
            redact(delivery.store.uri),
            recipe.tracking.experiment,
            alone_name(recipe.name, overrides),
            {"sweeper.role": "trial", "sweeper.fine_tune_id": owner.run},
            {"sweeper.command": command(overrides)},
            alone_note(recipe.name, overrides, paths.folder),
        )
    )
    delivery.add([paths.mlflow])
    delivery.begin(required=is_first_look(delivery.store.uri))
    try:
        yield delivery
    except BaseException as error:
        state = State.PRUNED if isinstance(error, TrialPruned) else State.FAILED
        reason = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error)
        with contextlib.suppress(OSError):  # what ended it may be the disk
            journal.end(state, reason or type(error).__name__)
        say_outstanding(delivery, paths.folder, say, interrupted=True)
        raise
    journal.end(State.COMPLETE)
    say_outstanding(delivery, paths.folder, say)
