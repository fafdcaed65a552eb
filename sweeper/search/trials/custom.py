"""``hydra.sweeper.custom_search_space``: a person's function that suggests more for each trial."""

import traceback
from collections.abc import Callable
from pathlib import Path

import hydra
import optuna
from hydra.utils import instantiate
from omegaconf import DictConfig
from optuna.exceptions import OptunaError

from sweeper.errors import ConfigError, SweeperError
from sweeper.execute.failures import described, machine_fault

_KEY = "hydra.sweeper.custom_search_space"


def find_function(path: str) -> Callable[..., object]:
    """The function that ``custom_search_space`` names.

    Raises:
        ConfigError: there is none, or Hydra lets no recipe call it.
    """
    try:
        # Hydra 1.1 took no notice of a first dot, and the peer's documentation has one
        function: Callable[..., object] = instantiate(
            {"_target_": path.lstrip("."), "_partial_": True}
        )
    except Exception as error:  # whatever the module that it names raises on import
        text = " ".join(str(error.__cause__ or error).split())
        raise ConfigError([f"{_KEY}={path}: {text}"]) from None
    return function


def ask_function(
    path: str, function: Callable[..., object], config: DictConfig, trial: optuna.Trial
) -> None:
    """Let the ``custom_search_space`` at ``path`` suggest more for ``trial``.

    Raises:
        ConfigError: it raised what is neither ours, nor Optuna's, nor the machine's fault.
    """
    try:
        function(config, trial)
    except (SweeperError, OptunaError):
        raise
    except Exception as error:
        if machine_fault(error):
            raise
        text = " ".join(described(error).split())
        others = tuple(str(Path(str(library.__file__)).parent) for library in (hydra, optuna))
        _, *called = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in called if not frame.filename.startswith(others)]
        place = f" ({own[-1].filename}, line {own[-1].lineno})" if own else ""
        raise ConfigError([f"{_KEY}={path} raised {text}{place}; correct it"]) from error
