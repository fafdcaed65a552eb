"""A person's ``custom_search_space``: how it is found, and what it may raise."""

import optuna
import pytest
from omegaconf import DictConfig, OmegaConf
from optuna.exceptions import StorageInternalError

from sweeper.errors import ConfigError
from sweeper.search.trials.custom import ask_function, find_function

CONFIG = OmegaConf.create({"width": 2})


def widen(config: DictConfig, trial: optuna.Trial) -> None:
    trial.suggest_float("x", 0, config.width)


def contradict(_config: DictConfig, trial: optuna.Trial) -> None:
    trial.suggest_float("x", 3, 1)


def give_up(_config: DictConfig, _trial: optuna.Trial) -> None:
    raise optuna.TrialPruned("too wide")


def lose_storage(_config: DictConfig, _trial: optuna.Trial) -> None:
    raise StorageInternalError


def fill_disk(_config: DictConfig, _trial: optuna.Trial) -> None:
    raise OSError(28, "No space left on device")


def call(name: str) -> optuna.Trial:
    path = f"{__name__}.{name}"
    trial = optuna.create_study().ask()
    ask_function(path, find_function(path), CONFIG, trial)
    return trial


@pytest.mark.parametrize("dots", ["", "."])
def test_the_function_is_found_and_called(dots: str) -> None:
    """With a first dot too, as the peer's documentation has it."""
    function = find_function(f"{dots}{__name__}.widen")
    trial = optuna.create_study().ask()
    ask_function("a.path", function, CONFIG, trial)
    assert 0 <= trial.params["x"] <= 2


@pytest.mark.parametrize(
    ("path", "printed"),
    [
        ("no.where", "No module named 'no'"),
        (f"{__name__}.nothing", "nothing"),
        (__name__, "Expected a callable"),
        # as in the peer: a recipe from elsewhere must not run any program
        ("os.system", "blocklisted"),
    ],
)
def test_what_cannot_be_called_is_a_fault(path: str, printed: str) -> None:
    with pytest.raises(ConfigError, match=printed) as caught:
        find_function(path)
    (fault,) = caught.value.faults
    assert fault.startswith(f"hydra.sweeper.custom_search_space={path}: ")
    assert "HYDRA_FULL_ERROR" not in fault


def test_what_the_function_raises_is_reported_with_the_persons_line() -> None:
    with pytest.raises(ConfigError) as caught:
        call("contradict")
    (fault,) = caught.value.faults
    line = contradict.__code__.co_firstlineno + 1
    assert "contradict raised ValueError: `low <= high` must hold" in fault
    assert fault.endswith(f"({__file__}, line {line}); correct it")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("give_up", optuna.TrialPruned),
        ("lose_storage", StorageInternalError),
        ("fill_disk", OSError),
    ],
)
def test_what_is_not_the_functions_fault_passes(name: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        call(name)
