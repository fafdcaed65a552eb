"""``python -m sweeper``: Hydra in, wiring, nothing else."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator

import hydra
from hydra._internal import utils as hydra_utils
from omegaconf import OmegaConf

from sweeper import __version__
from sweeper.app import fine_tune
from sweeper.arguments import check_arguments, completes_words, hide_credentials, overrides_last
from sweeper.exits import ASKED, leave, reported
from sweeper.paths import conf_dir, file_name

_USAGE = """\
usage: python -m sweeper +experiment=NAME        fine-tune one model
       python -m sweeper +experiment=NAME -m     search over the recipe
       python -m sweeper --help                  examples, recipes, groups and their options"""


def main() -> None:
    """Compose a recipe from the command line and run it, or with ``-m`` search over it."""
    OmegaConf.register_new_resolver("zero_pad", lambda n: f"{n:04d}", replace=True)
    OmegaConf.register_new_resolver("file_name", lambda text: file_name(str(text)), replace=True)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names that the screen cannot show
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever other programs of this person use
    if not sys.argv[1:]:
        leave(_USAGE, ASKED)
    if "--version" in sys.argv[1:]:
        print(f"sweeper {__version__}")
        return
    with reported():
        if not completes_words(sys.argv[1:]):
            sys.argv[1:] = hide_credentials(overrides_last(sys.argv[1:]))
            check_arguments(sys.argv[1:])
        run = hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")
        with _errors_from_hydra():
            run(fine_tune)()


@contextlib.contextmanager
def _errors_from_hydra() -> Iterator[None]:
    """Within the block Hydra raises what it would print with a traceback."""
    before = hydra_utils.run_and_report
    hydra_utils.run_and_report = lambda func: func()
    try:
        yield
    finally:
        hydra_utils.run_and_report = before


if __name__ == "__main__":
    main()
