"""A trial that sleeps in steps, reports each of them, and notes when it began and ended."""

import sys
import time
from pathlib import Path

import hydra
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig

from sweeper.search import report

STEPS = 5

ConfigStore.instance().store("app", {"x": 0.0, "seconds": 20.0, "record": "???"})


@hydra.main(version_base="1.3", config_path=None, config_name="app")
def main(config: DictConfig) -> float:
    """Sleep for ``seconds``."""
    began = time.time()
    for step in range(STEPS):
        time.sleep(config.seconds / STEPS)
        report(config.x, step)
    with Path(config.record).open("a") as record:
        record.write(f"{began} {time.time()}\n")
    return float(config.x)


if __name__ == "__main__":
    sys.exit(main())
