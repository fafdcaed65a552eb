"""A saved classifier in the form in which MLflow keeps, loads and serves models."""

import base64
import io
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray

from sweeper.saved import pyfunc
from sweeper.saved.card import IN_MLFLOW, NETWORK, read_card
from sweeper.saved.pyfunc import CLASS, IMAGE, PROBABILITIES, PROBABILITY


def save_for_mlflow(file: Path, folder: Path, example: NDArray[np.uint8]) -> None:
    """Write the classifier in ``file`` to ``folder``, without a store.

    ``mlflow.keras.load_model`` gives the network, on arrays; ``mlflow.pyfunc.load_model`` and
    ``mlflow models serve`` take images of any kind, see :class:`~sweeper.saved.pyfunc.Pyfunc`.

    Args:
        file: with a card.
        folder: is replaced.
        example: pixels ``[height, width, 3]`` of an image, for people who ask what the model takes.
    """
    import mlflow.pyfunc
    from mlflow.models import Model

    card = read_card(file)
    model = Model()
    # as mlflow.keras.save_model describes it, which takes no model that is saved already
    model.add_flavor(
        "keras",
        data=IN_MLFLOW,
        keras_version=keras.__version__,
        keras_backend=keras.backend.backend(),
        save_exported_model=False,
    )
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        # of MLflow's own way to write an example
        warnings.filterwarnings("ignore", "Operation with range is deprecated")
        data = Path(name, Path(IN_MLFLOW).name)
        data.mkdir()
        shutil.copyfile(file, data / NETWORK)
        (data / "keras_module.txt").write_text("keras")
        shutil.rmtree(folder, ignore_errors=True)
        mlflow.pyfunc.save_model(
            str(folder),
            loader_module=pyfunc.__name__,
            data_path=str(data),
            mlflow_model=model,
            signature=_signature(),
            input_example=pd.DataFrame({IMAGE: [_in_base64(example)]}),
            # given, because inferring them imports the model in a process of its own (7 s)
            pip_requirements=[f"keras=={keras.__version__}", f"tensorflow=={tf.__version__}"],
            metadata={"class_names": list(card.class_names), "image_size": card.image_size},
        )


def _signature() -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import AnyType, Map

    # bytes where Python calls it, base64 where JSON does
    anything = AnyType()  # type: ignore[no-untyped-call]
    return ModelSignature(
        inputs=Schema([ColSpec(anything, IMAGE)]),
        outputs=Schema(
            [
                ColSpec("string", CLASS),
                ColSpec("double", PROBABILITY),
                ColSpec(Map("double"), PROBABILITIES),
            ]
        ),
    )


def _in_base64(pixels: NDArray[np.uint8]) -> str:
    import PIL.Image

    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
