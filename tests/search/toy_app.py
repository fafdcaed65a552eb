"""A Hydra application that has nothing of ours but the plugin (and asks what it was told)."""

import json
import logging
import os
import signal
import time
from pathlib import Path

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

ConfigStore.instance().store(
    "toy",
    {
        "defaults": [{"override hydra/sweeper": "async_optuna"}, "_self_"],
        "x": 1.0,
        "n": 1,
        "kind": "ok",
        "hydra": {"sweep": {"dir": "out", "subdir": "${hydra.job.num}"}},
    },
)


@hydra.main(version_base="1.3", config_path=None, config_name="toy")
def main(config: DictConfig) -> object:
    logging.getLogger(__name__).info("x is %s", config.x)
    seen = {"number": HydraConfig.get().job.num, "n": config.n, "type": type(config.n).__name__}
    Path(HydraConfig.get().runtime.output_dir, "seen.json").write_text(json.dumps(seen))
    if config.kind == "raise":
        raise ValueError("boom")
    if config.kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if config.kind == "hang" and os.environ.get("TOY_HANGS"):
        time.sleep(60)
    if config.kind == "nonsense":
        return "nonsense"
    return (config.x - 0.5) ** 2


if __name__ == "__main__":
    main()
