"""A Hydra application whose trials and controllers get killed.

Each trial leaves the id of its process in ``pids/`` and refuses a folder that has a result already.
With ``ENDLESS=1`` trials report until they are stopped. With ``DIES_AT_COMMIT=n`` the controller
kills itself right before the n-th time that it commits something to the study's database.
"""

import json
import os
import signal
import time
from itertools import count
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from sweeper.search import report

ConfigStore.instance().store(
    "mortal",
    {
        "defaults": [{"override hydra/sweeper": "async_optuna"}, "_self_"],
        "x": 1.0,
        "n": 1,
        "recipe": 1,
        "reports": 4,
        "pause": 0.05,  # seconds between two reports
        "hangs": False,
        "hydra": {
            "sweep": {"dir": "out", "subdir": "${hydra.job.num}"},
            "sweeper": {"study_name": "mortal", "storage": "sqlite:///studies.db", "n_jobs": 2},
        },
    },
)


@hydra.main(version_base="1.3", config_path=None, config_name="mortal")
def main(config: DictConfig) -> float:
    job = HydraConfig.get().job
    pids = Path(HydraConfig.get().runtime.output_dir).parents[1] / "pids"
    pids.mkdir(exist_ok=True)
    (pids / f"{job.num}-{os.getpid()}").touch()
    result = Path(HydraConfig.get().runtime.output_dir, "seen.json")
    if result.exists():
        raise FileExistsError(f"{result} is there already")
    for step in count() if os.environ.get("ENDLESS") else range(config.reports):
        time.sleep(config.pause)
        report(config.x, step)
    if config.hangs:
        signal.pause()
    result.write_text(json.dumps({"number": job.num, "x": config.x, "n": config.n}))
    return float(config.x)


def die_at_commit(number: int) -> None:
    from sqlalchemy import Engine, event

    commits = count(1)

    @event.listens_for(Engine, "commit")
    def _die(_connection: Any) -> None:
        if next(commits) == number:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    if os.environ.get("DIES_AT_COMMIT"):
        die_at_commit(int(os.environ["DIES_AT_COMMIT"]))
    main()
