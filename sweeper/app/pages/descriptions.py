"""What a run in MLflow is called and how it is described, so that a person tells runs apart."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sweeper.addresses import redact
from sweeper.display.markdown import code, code_table
from sweeper.display.short_names import short_names
from sweeper.display.wording import brief, command, spelled_value
from sweeper.records import TrialSpec, Value
from sweeper.search.space.cases import bare

SEARCHED = "sweeper.searched"
"""Tag: names of the searched parameters. Each is a tag ``searched.<name>`` of a trial's run too: a
person who types "searched" where MLflow's table chooses columns finds these alone."""

_LONGEST_NAME = 200
"""Characters; MLflow takes names of 250."""
_DELETED = "(deleted)"
_WORDS = {"learning_rate": "lr", "unfreeze_blocks": "blocks", "batch_size": "batch"}
"""What the field calls these for short, in names of runs, where width is scarce."""
_ABOUT_PLACES = ("tracking.", "executor.", "cache.", "hydra", "dataset.data_dir")
"""Beginnings of keys that change where a recipe runs and is recorded, not what it is."""


def trial_name(spec: TrialSpec) -> str:
    """The number of a trial and what the search chose for it, short names first.

    MLflow's table shows some 20 letters of it.

    >>> trial_name(TrialSpec(7, {"optimizer.learning_rate": 0.0012345, "seed": 3}, (), Path()))
    '0007 lr=0.00123 seed=3'
    """
    params = {bare(key): value for key, value in spec.params.items()}
    names = short_words(params)
    order = sorted(params, key=lambda key: len(names[key]))
    words = [f"{names[key]}={brief(params[key])}" for key in order]
    again = f" (retry of {spec.again[0].name})" if spec.again else ""
    start = f"{spec.number:04d}" if words else f"trial {spec.number:04d}"
    return _join(start, words, again)


def rerun_name(spec: TrialSpec, seed: int) -> str:
    """The number of the trial that is run again, and the seed."""
    return f"{spec.number:04d} again, seed={seed}"


def alone_name(recipe: str, overrides: Sequence[str]) -> str:
    """The recipe of a single fine-tune and what its command line changes of it.

    >>> alone_name("digits_lite0", ["+experiment=digits_lite0", "optimizer.learning_rate=0.01"])
    'digits_lite0 lr=0.01'
    """
    changes = dict(_changes(overrides))
    names = short_words(changes)
    return _join(recipe, [f"{names[key]}={brief(text)}" for key, text in changes.items()])


def trial_tags(params: Mapping[str, Value]) -> dict[str, str]:
    """Marks of what the search chose, see :data:`SEARCHED`."""
    chosen = _texts(params)
    marks = {f"searched.{name}": text for name, text in chosen.items()}
    return {SEARCHED: ", ".join(chosen), **marks} if chosen else {}


def study_tags(space: Mapping[str, str]) -> dict[str, str]:
    """Mark of what a study searches over."""
    return {SEARCHED: ", ".join(space)} if space else {}


def trial_note(spec: TrialSpec, study: str) -> str:
    """Markdown: what the trial is, the parameters that differ, its files, its command."""
    retry = f", which repeats trial {spec.again[0].name}" if spec.again else ""
    return "\n\n".join(
        [
            f"Trial {spec.number} of the study {code(study)}{retry}.",
            *code_table("searched parameter", "value", _texts(spec.params)),
            f"Files: {code(spec.folder)}",
            f"Run it again: {code(command(spec.overrides))}",
        ]
    )


def rerun_note(spec: TrialSpec, seed: int, study: str) -> str:
    """Markdown: what a trial that is run again is for, its files, its command."""
    return "\n\n".join(
        [
            f"Trial {spec.number} of the study {code(study)} again, with the seed {seed}: the mean "
            "of such runs says what the trial is worth without luck. It is no trial of the search.",
            *code_table("parameter", "value", _texts(spec.params)),
            f"Files: {code(spec.folder)}",
            f"Run it again: {code(command(spec.overrides))}",
        ]
    )


def alone_note(recipe: str, overrides: Sequence[str], folder: Path) -> str:
    """Markdown: what a single fine-tune is, what its command line changes, its files."""
    return "\n\n".join(
        [
            f"One fine-tune of the recipe {code(recipe)}.",
            *code_table("changed", "value", dict(_changes(overrides))),
            f"Files: {code(folder)}",
            f"Run it again: {code(command(overrides))}",
        ]
    )


def _texts(params: Mapping[str, Value]) -> dict[str, str]:
    """``params`` as recipes name and write them."""
    return {bare(key): spelled_value(value) for key, value in params.items()}


def _changes(overrides: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Key and text of each override that changes the recipe; that of a deleted key says so."""
    for override in overrides:
        key, _, value = redact(override).partition("=")
        if bare(key) != "experiment" and not bare(key).startswith(_ABOUT_PLACES):
            yield bare(key), _DELETED if key.startswith("~") else value


def short_words(keys: Iterable[str]) -> dict[str, str]:
    """The fewest words for each of ``keys`` that tell them apart.

    >>> short_words(["phases.unfrozen.learning_rate", "optimizer.learning_rate"])
    {'phases.unfrozen.learning_rate': 'unfrozen.lr', 'optimizer.learning_rate': 'lr'}
    """
    names = short_names(keys)
    for key, name in names.items():
        above, dot, last = name.rpartition(".")
        word = _WORDS.get(last, last)
        # the rate of the recipe, beside that of a phase
        shorter = word if name == "optimizer.learning_rate" else f"{above}{dot}{word}"
        if shorter not in names.values():
            names[key] = shorter
    return names


def _join(start: str, words: Iterable[str], end: str = "") -> str:
    """All of it, or as many words as the longest name takes."""
    name = start
    for word in words:
        longer = f"{name} {word}"
        if len(longer) + len(end) > _LONGEST_NAME:
            name += " …"
            break
        name = longer
    return name + end
