"""Each trial has a folder of its own below that of the sweep, however it is named."""

from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from sweeper.errors import ConfigError
from sweeper.search.trials.job_folder import folder_of, number_job

FOLDER = Path("out").absolute()


def job(subdir: str, output_subdir: str | None = ".hydra") -> DictConfig:
    hydra = {
        "job": {"num": "???", "id": "???", "override_dirname": "lr=0.1"},
        "sweep": {"dir": "out", "subdir": subdir},
        "output_subdir": output_subdir,
    }
    return OmegaConf.create({"lr": 0.1, "hydra": hydra})


@pytest.mark.parametrize(
    ("subdir", "folders"),
    [
        ("${hydra.job.num}", ["0", "7"]),
        ("trials/${hydra.job.id}-${lr}", ["trials/0-0.1", "trials/7-0.1"]),
        # these are one folder for two trials with the same parameters, or for all
        ("${hydra.job.override_dirname}", ["lr=0.1-0", "lr=0.1-7"]),
        ("all", ["all-0", "all-7"]),
        (".", ["0", "7"]),
        ("", ["0", "7"]),
        (".hidden", [".hidden-0", ".hidden-7"]),
        ("...", ["...-0", "...-7"]),
    ],
)
def test_each_trial_has_its_own(subdir: str, folders: list[str]) -> None:
    found = []
    for number in (0, 7):
        config = number_job(job(subdir), number)
        assert (config.hydra.job.num, config.hydra.job.id) == (number, str(number))
        found.append(folder_of(config))
    assert found == [FOLDER / folder for folder in folders]


@pytest.mark.parametrize(
    "subdir", ["/up/${hydra.job.num}", "../${hydra.job.num}", "a/../../${hydra.job.num}"]
)
def test_a_folder_elsewhere_is_refused(subdir: str) -> None:
    with pytest.raises(ConfigError, match=r"is no folder below that of the sweep"):
        number_job(job(subdir), 0)


@pytest.mark.parametrize(
    ("config", "key"),
    [
        (job("x" * 300), "hydra.sweep.subdir"),
        (job("x", "y" * 300), "hydra.output_subdir"),
        (job("x" * 300, "y" * 300), "hydra.sweep.subdir"),
    ],
)
def test_a_name_that_is_too_long_is_refused(config: DictConfig, key: str) -> None:
    with pytest.raises(ConfigError, match="is longer than 255 bytes") as refused:
        number_job(config, 0)
    (fault,) = refused.value.faults
    assert fault.startswith(f"{key}: ")


def test_nothing_of_hydra_is_written_where_it_is_not_to_be() -> None:
    assert folder_of(number_job(job("x", None), 1)) == FOLDER / "x-1"
