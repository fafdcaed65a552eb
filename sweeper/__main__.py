"""``python -m sweeper``: Hydra in, wiring, nothing else."""

import sys

from sweeper import __version__
from sweeper.app.task import fine_tune
from sweeper.entry import run
from sweeper.exits import ASKED, leave

_USAGE = """\
usage: python -m sweeper +experiment=NAME        fine-tune one model
       python -m sweeper +experiment=NAME -m     search over the recipe
       python -m sweeper --help                  examples, recipes, groups and their options"""


def main() -> None:
    """Compose a recipe from the command line and run it, or with ``-m`` search over it."""
    if not sys.argv[1:]:
        leave(_USAGE, ASKED)
    if "--version" in sys.argv[1:]:
        print(f"sweeper {__version__}")
        return
    run(fine_tune)


if __name__ == "__main__":
    main()
