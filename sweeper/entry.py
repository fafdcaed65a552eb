"""From the command line to a task: Hydra composes, and whatever is wrong ends in one sentence."""

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import hydra
from hydra._internal import utils as hydra_utils
from omegaconf import DictConfig, OmegaConf

import sweeper.collector  # noqa: F401
from sweeper.app.arguments import check_arguments, completes_words, hide_credentials, overrides_last
from sweeper.exits import reported
from sweeper.paths import conf_dir, file_name


def run(
    task: Callable[[DictConfig], Any], arguments: Sequence[str], more: Sequence[str] = ()
) -> None:
    """Compose a recipe from ``arguments``, and run ``task`` on it.

    Ends the process, as :mod:`sweeper.exits` says, where something is wrong.

    Args:
        task: called with the recipe.
        arguments: the command line of a person.
        more: overrides of ours.
    """
    OmegaConf.register_new_resolver("zero_pad", lambda n: f"{n:04d}", replace=True)
    OmegaConf.register_new_resolver("file_name", lambda text: file_name(str(text)), replace=True)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names that the screen cannot show
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever other programs of this person use
    with reported():
        if not completes_words(arguments):
            arguments = [*_checked(arguments), *more]
        sys.argv[1:] = arguments  # where Hydra reads them
        main = hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")
        with _errors_from_hydra():
            main(task)()


def _checked(arguments: Sequence[str]) -> list[str]:
    arguments = hide_credentials(overrides_last(arguments))
    check_arguments(arguments)
    return arguments


@contextlib.contextmanager
def _errors_from_hydra() -> Iterator[None]:
    """Within the block Hydra raises what it would print with a traceback."""
    before = hydra_utils.run_and_report
    hydra_utils.run_and_report = lambda func: func()
    try:
        yield
    finally:
        hydra_utils.run_and_report = before
