"""What a sweep is about to do, shown before its first trial."""

import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console

from sweeper.display.trial_text import lines
from sweeper.execute.executor import Placement
from sweeper.paths import shown_path
from sweeper.search.hooks import Entry
from sweeper.search.request import Request
from sweeper.search.settings.sweep_settings import SweepSettings
from sweeper.search.space.search_space import SearchSpace

_LABEL = 10
"""Columns of the labels; the text begins behind them."""

_DEFAULT = """
This is the default, because nothing is named to search. To search something else, give values on \
the command line (batch_size=16,32 searches only that) or set hydra.sweeper.params in the recipe."""


def planned(request: Request, names: Sequence[str], total: int | None, done: int) -> list[Entry]:
    """What the search itself has to say.

    Args:
        request: what is asked for.
        names: of the objectives; may be empty.
        total: how many trials the study shall have, None for no limit.
        done: how many it has.
    """
    settings, in_processes = request.settings, request.executor_kind.in_processes
    return [
        Entry("study", f"{request.name} ({'continues' if done else 'new'})"),
        Entry("device", slots(request.placements, request.threads, in_processes)),
        Entry("search", _search(request)),
        Entry("judged by", judged_by(names, settings.directions)),
        Entry("trials", trials(settings, total, done)),
        Entry("results", str(shown_path(request.folder))),
    ]


def _search(request: Request) -> str:
    custom = request.settings.custom_search_space
    if custom is None:
        return searched(request.space) + (_DEFAULT if request.defaulted else "")
    named = f"{searched(request.space)}\nand " if request.space.searched else ""
    return f"{named}what {custom} suggests"


def searched(space: SearchSpace, names: Iterable[str] | None = None) -> str:
    """A line for each searched parameter with its range, and one for each further case of it."""
    chosen = [key for key in space.searched if names is None or key in names]
    width = max(map(len, chosen), default=0)
    shown = []
    for key in chosen:
        for number, case in enumerate(space.searched[key]):
            name = key if number == 0 else ""
            shown.append(f"{name:<{width}}  {case.in_words()}")
    return "\n".join(shown) or "nothing: every trial runs the same configuration"


def slots(placements: Sequence[Placement], threads: int, in_processes: bool) -> str:
    """How many trials run at a time, and where."""
    at_once = f"{len(placements)} trial{'s' * (len(placements) > 1)} at a time"
    if not in_processes:
        return f"{at_once}, in this process"
    counted = Counter(placement.name for placement in placements)
    named = [name if count == 1 else f"{name} ({count})" for name, count in counted.items()]
    on_cpu = any(name.startswith("cpu") for name in counted)
    each = f", {threads} thread{'s' * (threads > 1)} each" if on_cpu else ""
    return f"{at_once} on {', '.join(named)}{each}"


def judged_by(names: Sequence[str], directions: Sequence[str]) -> str:
    """The objectives with their directions; ``names`` may be empty."""
    spelled = {"maximize": "higher is better", "minimize": "lower is better"}
    named = names or ["what a trial returns"] * len(directions)
    return ", ".join(
        f"{name} ({spelled[direction]})" for name, direction in zip(named, directions, strict=True)
    )


def trials(settings: SweepSettings, total: int | None, done: int) -> str:
    """How many trials there shall be, how many of them there are, and what else ends the study."""
    of_error = "the standard error of the best figure"
    least = of_error if settings.min_gain == "error" else f"{settings.min_gain or 0:g}"
    ends = {
        f"after {settings.timeout or 0:g} s": settings.timeout,
        f"at {settings.target or 0:g}": settings.target,
        f"after {settings.patience} trials without a better one": settings.patience,
        f"when more could gain less than {least}": settings.min_gain,
    }
    early = " or ".join(text for text, given in ends.items() if given is not None)
    if total is None:
        text = f"{done} done; no limit to their number"
        return f"{text}, the sweep ends {early}" if early else text
    left = max(total - done, 0)
    if not left:
        return f"{done} of {total} done, nothing left to run; more: hydra.sweeper.n_trials=<total>"
    text = f"{total} in all: {done} done, {left} to run" if done else f"{total} to run"
    return f"{text}; ends early {early}" if early else text


def print_plan(entries: Iterable[Entry], console: Console) -> None:
    """Print ``entries`` below each other, folded at words where ``console`` is a terminal."""
    for entry in entries:
        first = f"{entry.label:<{_LABEL}}"
        for paragraph in lines(entry.text).splitlines():
            console.print(_folded(first, paragraph, console), soft_wrap=True)
            first = " " * _LABEL
        if entry.command:
            console.print(f"{first}{lines(entry.command)}", soft_wrap=True)


def _folded(label: str, paragraph: str, console: Console) -> str:
    if not console.is_terminal:
        return f"{label}{paragraph}"
    indent = " " * len(label)
    return textwrap.fill(
        paragraph,
        max(console.width, 2 * _LABEL),
        initial_indent=label,
        subsequent_indent=f"{indent}  ",
        replace_whitespace=False,
        drop_whitespace=True,
        break_long_words=False,
        break_on_hyphens=False,
    )
