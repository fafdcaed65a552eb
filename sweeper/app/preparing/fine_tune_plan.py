"""What a study of fine-tunes adds to the plan of its sweep: data, networks, training, MLflow."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from sweeper.config import Confirm, Recipe
from sweeper.display.wording import ui_command
from sweeper.execute.devices import visible_devices
from sweeper.records import Prepared
from sweeper.search.hooks import Entry
from sweeper.study_files.study_paths import StudyPaths
from sweeper.track.backend.mlflow_store import absolute_uri


def with_fine_tunes(
    entries: Iterable[Entry], recipes: Sequence[Recipe], prepared: Prepared
) -> list[Entry]:
    """The plan of the search, with what is trained on what, and where it is recorded.

    Args:
        entries: of the search itself.
        recipes: those that between them hold what the search can do.
        prepared: what was found of them.
    """
    ours = [
        Entry("data", "\n".join(prepared.data)),
        Entry("network", "\n".join(prepared.networks)),
        Entry("training", "\n".join(dict.fromkeys(map(_training, recipes)))),
    ]
    found: list[Entry] = []
    for entry in entries:
        if entry.label == "device":
            text = f"{entry.text}; {_device(recipes[0], prepared)}"
            found += [*ours, Entry(entry.label, text, entry.command)]
        elif entry.label == "trials" and recipes[0].confirm is not None:
            text = f"{entry.text}\n{_confirmed(recipes[0].confirm)}"
            found.append(Entry(entry.label, text, entry.command))
        elif entry.label == "results":
            page = StudyPaths(Path(entry.text)).page.name
            found.append(Entry(entry.label, f"{entry.text}; {page} there explains each file"))
        else:
            found.append(entry)
    tracking = recipes[0].tracking
    text = f"experiment {tracking.experiment}; its page:"
    return [*found, Entry("MLflow", text, ui_command(absolute_uri(tracking.uri)))]


def _confirmed(confirm: Confirm) -> str:
    trials = f"the best {confirm.top} again" if confirm.top > 1 else "the best one again"
    seeds = f"with {confirm.seeds} other seeds each" if confirm.seeds > 1 else "with another seed"
    return f"then {trials} {seeds}; the best mean wins"


def _device(recipe: Recipe, prepared: Prepared) -> str:
    wanted = recipe.executor.devices != "cpu" and visible_devices()
    if wanted and prepared.device.endswith("no GPU"):
        return (
            f"{prepared.device} though the machine has one, so trials run on the CPU: "
            "install its CUDA libraries (README, GPU)"
        )
    return prepared.device


def _training(recipe: Recipe) -> str:
    """How many epochs train what."""
    freeze, phases = recipe.freeze, recipe.phases
    top = "the head and the top of the network"
    if freeze.scratch:
        top = "the whole network, from random weights"
    elif freeze.unfreeze_blocks == "all":
        top = "the whole network"
    elif freeze.unfreeze_blocks == 0:
        top = "the head alone"
    both = ((phases.frozen, "the head alone"), (phases.unfrozen, top))
    return ", then ".join(
        f"{phase.epochs} epoch{'s' * (phase.epochs > 1)} of {what}" for phase, what in both if phase
    )
