"""A saved classifier that answers over HTTP: MLflow's scoring server, and images as they are.

``POST /invocations`` is what ``mlflow models serve`` answers, ``POST /predict`` takes the bytes of
one image file. ``GET /`` describes the model.
"""

import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sweeper.errors import SweeperError
from sweeper.saved.classifier import SavedClassifier, UnreadableImage
from sweeper.saved.mlflow_folder import save_for_mlflow
from sweeper.saved.pyfunc import CLASS, PROBABILITIES, PROBABILITY

if TYPE_CHECKING:
    from fastapi import FastAPI

_MOST_BYTES = 100_000_000
"""Of one request; a larger body is refused before it is in memory."""


class _TooLargeError(Exception):
    """A body has more than :data:`_MOST_BYTES`."""


def application(network: Path, name: str) -> "FastAPI":
    """The application for the ``.keras`` file ``network``, which a person calls ``name``.

    Raises:
        SweeperError: the file cannot be loaded.
    """
    import mlflow.pyfunc
    from mlflow.pyfunc.scoring_server import init

    with tempfile.TemporaryDirectory() as folder:
        save_for_mlflow(network, Path(folder), np.zeros((8, 8, 3), np.uint8))
        model = mlflow.pyfunc.load_model(folder)
    classifier: SavedClassifier = model.get_raw_model()
    side = classifier.card.image_size
    classifier.probabilities([np.zeros((side, side, 3), np.uint8)])  # the first one takes longer
    app: FastAPI = init(model)
    app.title = f"sweeper: {name}"
    _add_routes(app, classifier, name)
    return app


def _add_routes(app: "FastAPI", classifier: SavedClassifier, name: str) -> None:
    from fastapi import Request
    from fastapi.responses import JSONResponse
    from starlette.concurrency import run_in_threadpool

    @app.post("/predict")
    async def predict(request: Request) -> JSONResponse:
        """Classify the image whose bytes are the body."""
        try:
            encoded = await _body(request.stream())
            return JSONResponse(await run_in_threadpool(_answer, classifier, encoded))
        except _TooLargeError:
            return JSONResponse({"error": f"more than {_MOST_BYTES:,} bytes"}, 413)
        except UnreadableImage as error:
            return JSONResponse({"error": str(error)}, 400)

    @app.get("/")
    def describe() -> dict[str, Any]:
        """What is served."""
        card = classifier.card
        return {
            "model": name,
            "classes": list(card.class_names),
            "image_size": card.image_size,
            "validation": dict(card.validation),
            "test": dict(card.test),
            "predict": "POST /predict with the bytes of an image file as the body",
        }


def _answer(classifier: SavedClassifier, encoded: bytes) -> dict[str, Any]:
    (row,) = classifier.probabilities([classifier.decoded(encoded)])
    names, best = classifier.card.class_names, int(row.argmax())
    return {
        CLASS: names[best],
        PROBABILITY: float(row[best]),
        PROBABILITIES: dict(zip(names, row.astype(float).tolist(), strict=True)),
    }


async def _body(stream: AsyncIterator[bytes]) -> bytes:
    parts, total = [], 0
    async for part in stream:
        total += len(part)
        if total > _MOST_BYTES:
            raise _TooLargeError
        parts.append(part)
    return b"".join(parts)


def serve(app: "FastAPI", host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Answer until the process is asked to end.

    Args:
        app: what answers.
        host: address to listen on.
        port: 0 takes a free one.
        on_ready: called with the address once it answers.

    Raises:
        SweeperError: the address is taken, or is none of this machine's.
    """
    import socket

    import uvicorn

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except OSError as error:
            raise SweeperError(
                f"cannot listen on {host}:{port}: {error.strerror or error}; name another --port, "
                "0 for a free one"
            ) from error
        listening.listen()
        shown = f"[{host}]" if ":" in host else host
        on_ready(f"http://{shown}:{listening.getsockname()[1]}")
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        server.run(sockets=[listening])
