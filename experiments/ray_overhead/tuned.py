"""The same trials under ray.tune: a process for each, or processes that are used again."""

import argparse
import time
from pathlib import Path

import ray
from ray import tune

STEPS = 5


def trial(config: dict[str, float | str]) -> None:
    """Sleep for ``seconds``; see ``app.py``."""
    began = time.time()
    for _ in range(STEPS):
        time.sleep(float(config["seconds"]) / STEPS)
        tune.report({"x": config["x"]})
    with Path(str(config["record"])).open("a") as record:
        record.write(f"{began} {time.time()}\n")


def main() -> None:
    """Run so many trials on the cluster at an address."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", required=True)
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--slots", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--record", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--reuse", action="store_true")
    given = parser.parse_args()
    ray.init(given.address, log_to_driver=False)
    space = {"x": tune.uniform(0, 1), "seconds": given.seconds, "record": given.record}
    tune.Tuner(
        tune.with_resources(trial, {"cpu": 1}),
        param_space=space,
        tune_config=tune.TuneConfig(
            num_samples=given.trials,
            max_concurrent_trials=given.slots,
            reuse_actors=given.reuse,
            metric="x",
            mode="min",
        ),
        run_config=tune.RunConfig(storage_path=given.folder, verbose=0),
    ).fit()


if __name__ == "__main__":
    main()
