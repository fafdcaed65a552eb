"""A Hydra application that has nothing of ours but the plugin; some kinds of it ask for more."""

import contextlib
import json
import logging
import math
import os
import signal
import time
from pathlib import Path

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

ConfigStore.instance().store(
    "toy",
    {
        "defaults": [{"override hydra/sweeper": "async_optuna"}, "_self_"],
        "x": 1.0,
        "n": 1,
        "kind": "ok",
        "unused": 1,
        "hydra": {"sweep": {"dir": "out", "subdir": "${hydra.job.num}"}},
    },
)
ConfigStore.instance().store("cluster", {"_target_": "nothing"}, group="hydra/launcher")


class ResourceExhaustedError(Exception):
    """What TensorFlow raises when a device has no memory left, by name."""


def distance(config: DictConfig) -> float:
    return float((config.x - 0.5) ** 2)


def raises(_config: DictConfig) -> None:
    raise ValueError("boom")


def is_killed(_config: DictConfig) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hangs(config: DictConfig) -> float:
    if os.environ.get("TOY_HANGS"):
        time.sleep(60)
    return distance(config)


def fills_memory(_config: DictConfig) -> None:
    raise MemoryError


def fits_if_small(config: DictConfig) -> float:
    if config.x > 0.4:
        raise MemoryError
    return float(config.x)


def fills_device(_config: DictConfig) -> None:
    print("the last line of its log")
    raise ResourceExhaustedError("no memory left")


def counts_threads(_config: DictConfig) -> float:
    return float(os.environ["TF_NUM_INTRAOP_THREADS"])


def meets(config: DictConfig) -> float:
    """Wait until ``n`` trials are here at the same time."""
    Path("here").mkdir(exist_ok=True)
    Path("here", str(os.getpid())).touch()
    deadline = time.monotonic() + 900
    while len(list(Path("here").iterdir())) < config.n:
        if time.monotonic() > deadline:
            raise TimeoutError("nobody else came")
        time.sleep(0.01)
    return distance(config)


def reports(config: DictConfig) -> float:
    from sweeper.search import report

    for step in range(3):
        report(config.x, step)
    return float(config.x)


def reports_and_will_not_stop(config: DictConfig) -> float:
    from sweeper.search import TrialPruned, report

    for step in range(3):
        with contextlib.suppress(TrialPruned):
            report(config.x, step)
    return float(config.x)


def gives_up_as_optuna_has_it(_config: DictConfig) -> float:
    import optuna

    raise optuna.TrialPruned("enough")


def notes(config: DictConfig) -> float:
    from sweeper.search import current_trial

    trial = current_trial()
    assert trial is not None
    trial.set_user_attr("seen", f"trial {trial.number} of {dict(trial.params)}")
    trial.set_constraint("x", config.x - 0.5)
    return float(config.x)


KINDS = {
    "ok": distance,
    "raise": raises,
    "kill": is_killed,
    "hang": hangs,
    "memory": fills_memory,
    "device": fills_device,
    "small": fits_if_small,
    "nonsense": lambda _config: "nonsense",
    "nothing": lambda _config: None,
    "undefined": lambda _config: math.nan,
    "two": lambda config: [distance(config), config.n],
    "threads": counts_threads,
    "meet": meets,
    "report": reports,
    "stubborn": reports_and_will_not_stop,
    "optuna": gives_up_as_optuna_has_it,
    "note": notes,
}


@hydra.main(version_base="1.3", config_path=None, config_name="toy")
def main(config: DictConfig) -> object:
    logging.getLogger(__name__).info("x is %s", config.x)
    # a run without -m has no number
    number = OmegaConf.select(HydraConfig.get(), "job.num", throw_on_missing=False)
    seen = {"number": number, "n": config.n, "type": type(config.n).__name__}
    Path(HydraConfig.get().runtime.output_dir, "seen.json").write_text(json.dumps(seen))
    return KINDS[config.kind](config)  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
