"""The images of a run as MLflow records them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeper.records import DataUse

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput


def dataset_input(data: DataUse) -> "DatasetInput":
    """What MLflow's page of a run lists under its data sets."""
    from mlflow.entities import Dataset, DatasetInput, InputTag
    from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

    # of the kinds of source that MLflow knows
    kind: str
    source: dict[str, Any]
    if isinstance(data.place, Path):
        kind, source = "local", {"uri": str(data.place)}
    else:
        kind, source = "code", {"tags": {"mlflow.source.name": data.place}}
    size = {"num_rows": data.images, "num_classes": data.classes}
    dataset = Dataset(data.name, data.digest, kind, json.dumps(source), profile=json.dumps(size))
    return DatasetInput(dataset, [InputTag(MLFLOW_DATASET_CONTEXT, data.purpose)])
