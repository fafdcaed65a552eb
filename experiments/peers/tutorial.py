"""A user's script: a tutorial's fine-tune with MLflow autologging, swept by hydra-optuna-sweeper.

python tutorial.py -m hydra/sweeper=optuna folder=... learning_rate='interval(0.002, 0.01)'
"""

import time
from pathlib import Path

import hydra
import keras
import mlflow
from hydra.core.config_store import ConfigStore
from objective import Settings, build_model, fit_both, record
from omegaconf import MISSING, DictConfig

ConfigStore.instance().store(
    "tutorial",
    {
        "folder": MISSING,
        "learning_rate": 0.005,
        "dropout": 0.2,
        "frozen_epochs": 6,
        "unfrozen_epochs": 4,
        "unfrozen_learning_rate": 0.0005,
        "unfreeze_blocks": 2,
    },
)


@hydra.main(version_base="1.3", config_path=None, config_name="tutorial")
def main(config: DictConfig) -> float:
    """One trial, one MLflow run; returns its validation accuracy."""
    began = time.perf_counter()
    settings = Settings(**{str(key): value for key, value in config.items() if key != "folder"})
    folder = Path(config.folder)
    # trials share the process: else its graphs would pile up
    keras.utils.clear_session()
    mlflow.set_tracking_uri("sqlite:///mlflow.db")
    mlflow.set_experiment("tutorial")
    mlflow.tensorflow.autolog()
    with mlflow.start_run():
        model, base = build_model(folder, settings.dropout)
        val_accuracy = fit_both(folder, settings, model, base)
    record(time.perf_counter() - began, val_accuracy)
    return val_accuracy


if __name__ == "__main__":
    main()
