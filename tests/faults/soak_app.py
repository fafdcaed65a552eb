"""A Hydra application of short trials, whose value follows from its parameter alone."""

import math
import os
import time
from pathlib import Path

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from sweeper.search import report

ConfigStore.instance().store(
    "soak",
    {
        "defaults": [
            {"override hydra/sweeper": "async_optuna"},
            {"override hydra/sweeper/sampler": "random"},
            "_self_",
        ],
        "x": 1.0,
        "hydra": {
            "sweep": {"dir": "out", "subdir": "${hydra.job.num}"},
            "sweeper": {
                "n_jobs": 2,
                "params": {"x": "interval(0, 1)"},
                "retries": 1_000_000,
                "heartbeat_interval": 2,
            },
        },
    },
)


def result(x: float) -> float:
    """What a trial is judged by: some arithmetic, to the last bit the same everywhere."""
    for _ in range(10):
        x = math.fmod(1.9 * x + 0.1, 1.0)
    return x


@hydra.main(version_base="1.3", config_path=None, config_name="soak")
def main(config: DictConfig) -> float:
    job = HydraConfig.get().job
    pids = Path(HydraConfig.get().runtime.output_dir).parents[1] / "pids"
    pids.mkdir(exist_ok=True)
    (pids / f"{job.num}-{os.getpid()}").touch()
    # no other trial may ever have been in this folder
    with Path(HydraConfig.get().runtime.output_dir, "nonce").open("x") as nonce:
        nonce.write(f"{job.num} {config.x!r}")
    for step in range(2):
        time.sleep(0.02)
        report(config.x, step)
    return result(config.x)


if __name__ == "__main__":
    main()
