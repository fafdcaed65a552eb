"""The description of a run in MLflow, in Markdown: its state, our text, and what a person adds."""

import re
from collections.abc import Callable

NOTE = "mlflow.note.content"
"""Tag that MLflow's page of a run shows as its description."""
KEPT = "---\n\n_What is written below this line stays._"
"""Ends our text where it is written again; what a person writes below stays."""
_STATE = "**State:**"
_LINK = re.compile(r"\[([^\]]*)\]\((run|experiment):(\w*)([^)\s]*)\)")


def with_state(note: str, state: str) -> str:
    """The description of a run, in Markdown, that begins with how the run stands.

    >>> with_state(with_state("Trial 3.", "running"), "pruned: too slow")
    '**State:** pruned: too slow\\n\\nTrial 3.'
    """
    rest = note.partition("\n\n")[2] if note.startswith(_STATE) else note
    return f"{_STATE} {' '.join(state.split())}\n\n{rest}"


def rewritten(note: str, text: str, most: int) -> str:
    """``note`` with ``text`` between its state and :data:`KEPT`.

    Of ``text`` the last paragraphs are left out where there would be more than ``most``
    characters. A note without :data:`KEPT` was rewritten by a person, and is returned as it is.

    >>> rewritten("**State:** running\\n\\nA study.\\n\\n" + KEPT + "\\n\\nMine.", "Two trials.", 5000)
    '**State:** running\\n\\nTwo trials.\\n\\n---\\n\\n_What is written below this line stays._\\n\\nMine.'
    """  # noqa: E501
    ours, kept, theirs = note.partition(KEPT)
    if not kept:
        return note
    state, _, _ = ours.partition("\n\n")
    first = f"{state}\n\n" if ours.startswith(_STATE) else ""
    paragraphs = text.split("\n\n")
    while paragraphs:
        whole = first + "\n\n".join([*paragraphs, kept]) + theirs
        if len(whole) <= most:
            return whole
        paragraphs.pop()
    return note


def linked(
    text: str, experiment_id: str, run_id: Callable[[str], str | None]
) -> tuple[str, list[str]]:
    """``text`` with addresses of MLflow's pages for ``run:NAME/more`` and ``experiment:/more``.

    A link to a run that ``run_id`` does not know becomes its text.

    Returns:
        The text, and the names of runs that are not known.

    >>> linked("[0007](run:7), [all](experiment:/runs)", "1", {"7": "ab"}.get)
    ('[0007](#/experiments/1/runs/ab), [all](#/experiments/1/runs)', [])
    """
    unknown = []

    def address(found: re.Match[str]) -> str:
        shown, kind, name, more = found.groups()
        place = f"#/experiments/{experiment_id}"
        if kind == "run":
            known = run_id(name)
            if known is None:
                unknown.append(name)
                return shown
            place += f"/runs/{known}"
        return f"[{shown}]({place}{more})"

    return _LINK.sub(address, text), unknown
