"""Whether the application's script may be imported, as each trial's process does."""

import ast
import sys
from pathlib import Path
from types import FrameType

from sweeper.errors import SweeperError


def check_guard() -> None:
    """Refuse a script that calls its application outside of ``if __name__ == "__main__":``.

    Raises:
        SweeperError: naming the line; without the guard each trial would start a sweep of its own.
    """
    main = sys.modules["__main__"]
    path = getattr(main, "__file__", None)
    spec = getattr(main, "__spec__", None)
    # `python -m package` runs its __main__.py, which no trial imports
    if path is None or (spec is not None and spec.name.rpartition(".")[2] == "__main__"):
        return
    line = _line_of_main(vars(main))
    if line is None:
        return
    try:
        tree = ast.parse(Path(path).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    if not any(_guards(node, line) for node in ast.walk(tree)):
        raise SweeperError(
            f"{path}:{line} calls the application without a guard, and each trial runs in a "
            "process of its own that imports this script; put the call below "
            'if __name__ == "__main__": or set hydra.sweeper.executor.kind=inline'
        )


def _line_of_main(names: dict[str, object]) -> int | None:
    """The line that the script itself is at; None in another thread."""
    frame: FrameType | None = sys._getframe()
    line = None
    while frame is not None:
        if frame.f_globals is names and frame.f_code.co_name == "<module>":
            line = frame.f_lineno
        frame = frame.f_back
    return line


def _guards(node: ast.AST, line: int) -> bool:
    if not isinstance(node, ast.If | ast.IfExp):
        return False
    names = {part.id for part in ast.walk(node.test) if isinstance(part, ast.Name)}
    return "__name__" in names and node.lineno <= line <= (node.end_lineno or node.lineno)
