"""A trial's recipe trained on train plus validation, in a process of its own."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sweeper.errors import MissingInput
from sweeper.execute.executor import Asked, Channel, run_logged
from sweeper.execute.process import ProcessExecutor
from sweeper.records import Decision, EpochReport, Note, Owner
from sweeper.report.reader import StudyReader
from sweeper.saved.card import read_card
from sweeper.saved.reference import Found
from sweeper.study_files.trial_paths import TrialPaths
from sweeper.track.local import LocalTracker

if TYPE_CHECKING:
    from sweeper.train.fit.phase_state import Epoch

KIND = "refit"

Say = Callable[[str], None]


def refitted(found: Found, say: Say) -> Found:
    """The model of ``found``'s recipe, trained again; one that is there already is taken.

    An earlier refit stays until the new one is whole, and one that was interrupted continues.

    Args:
        found: the winner of a study, or another of its trials.
        say: shows a person a sentence.

    Raises:
        MissingInput: ``found`` is of no study.
        SweeperError: it cannot be trained; names the log.
    """
    study, number = found.study, found.trial
    if study is None or number is None:
        raise MissingInput(f"--refit is for the name or the folder of a study, got {found.name}")
    (trial,) = (one for one in study.trials() if one.about.number == number)
    name = study.about.name
    origin = {
        "made": f"refit of trial {number}",
        "study": name,
        "trial_started": str(trial.about.started),
    }
    paths = TrialPaths(study.paths.derived(KIND))
    again = replace(found, network=paths.model, name=f"the refit of trial {number} of {name}")
    if paths.model.exists() and origin.items() <= read_card(paths.model).origin.items():
        say(f"{again.name} is there already: {paths.model}")
        return again
    say(f"training {again.name} on train plus validation, log: {paths.log}")
    _train(study, number, paths, origin, say)
    say("it has no validation result: no image is left that it has not seen, but the test images")
    return again


def _train(
    study: StudyReader, number: int, paths: TrialPaths, origin: Mapping[str, str], say: Say
) -> None:
    """Train in a process of its own, which ends with this one."""
    recipe, curves = study.recipe(number), study.curves(number)
    owner = Owner(str(number), study.about.study)
    asked = Asked(recipe.executor.devices, None, n_jobs=1, threads=recipe.executor.threads)
    (place,) = ProcessExecutor.placements(asked)

    def work(channel: Channel) -> None:
        from sweeper.train.refit import followed, refit

        epochs = followed(recipe, curves)
        total = sum(len(of_phase) for of_phase in epochs.values())
        paths.metrics.unlink(missing_ok=True)
        record = LocalTracker(paths)

        def on_epoch(epoch: "Epoch", metrics: Mapping[str, float]) -> None:
            record.log_epoch(metrics, epoch.step, epoch.phase, None)
            report = EpochReport(
                epoch.step, metrics["loss"], epoch.phase, metrics, compared=False, steps=total
            )
            channel.report(report)

        refit(recipe, epochs, paths, owner, origin, on_epoch)

    executor = ProcessExecutor((), paths.folder / "logs" / "server.log")
    run_logged(executor, work, paths.log, _OnScreen(say), place)


class _OnScreen:
    """A :class:`~sweeper.execute.executor.Channel` that shows each epoch."""

    def __init__(self, say: Say) -> None:
        self._say = say

    def report(self, report: EpochReport) -> Decision:
        loss, accuracy = report.metrics["loss"], report.metrics["accuracy"]
        self._say(
            f"{report.phase} epoch {report.step + 1} of {report.steps}: loss {loss:.4g}  "
            f"accuracy {accuracy:.4g}"
        )
        return Decision()

    def note(self, _note: Note) -> None:
        """Nothing is noted."""
