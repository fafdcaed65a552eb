"""The application that both sweepers run: it sleeps or does nothing, and returns a number."""

import os
import random
import time
from pathlib import Path

import hydra
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig

ConfigStore.instance().store("app", {"i": 0, "x": 0.0, "y": 0.0, "record": None})


@hydra.main(version_base="1.3", config_path=None, config_name="app")
def main(config: DictConfig) -> float:
    """With ``record``, sleep (4 s for every fourth ``i``, else 0.5 s) and append there when."""
    if config.record is not None:
        began = time.time()
        time.sleep(4.0 if config.i % 4 == 3 else 0.5)
        with Path(config.record).open("a") as record:
            record.write(f"{began} {time.time()} {config.i}\n")
    return float((config.x - 0.5) ** 2 + (config.y - 0.5) ** 2)


if __name__ == "__main__":
    # hydra-optuna-sweeper goes through a grid in the order of the global generator, which it
    # leaves unseeded
    random.seed(int(os.environ.get("ORDER", "0")))
    main()
