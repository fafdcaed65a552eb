"""Weights from a file or a download; every way of failing is named, with the remedy."""

import contextlib
import re
import socket
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import h5py
import keras
import numpy as np

from sweeper.errors import ConfigError, MissingInput
from sweeper.http_probe import probe
from sweeper.models.pretrained.weights_presence import HOST, cache_folder
from sweeper.models.pretrained.weights_presence import is_cached as _is_cached

_CONNECT_SECONDS = 8.0
_STALL_SECONDS = 30.0
_IMAGENET_STDDEV = (0.229, 0.224, 0.225)
_REMEDY = "set backbone.weights=<path> to {}, or train from scratch with freeze=scratch"


def load_file(model: keras.Model, path: Path, name: str) -> None:
    """Load a file into ``model``, which is ``keras.applications.<name>`` without its top.

    The reader goes by suffix: ``.weights.h5`` Keras 3 weights, ``.keras`` a whole Keras 3 model,
    any other ``.h5`` the legacy layout of the files that keras.applications downloads.

    Raises:
        MissingInput: there is no such file.
        ConfigError: the file is unreadable, holds another network or more than this one, or
            numbers with which no network computes.
    """
    if not path.exists():
        raise MissingInput(
            f"weights of {name} are not here: backbone.weights={path} does not exist (looked in "
            f"{path.parent.resolve()}); {_REMEDY.format('a file')}"
        )
    layout = _layout(path, name)
    try:
        # a file of another network brings a warning for every layer; the error says it once
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.load_weights(path)
        found = None if layout == "legacy .h5" else _count_arrays(path)
    except Exception as error:  # readers of foreign bytes raise anything
        raise ConfigError([_unusable(path, name, layout, str(error))]) from error
    # the legacy reader counts by itself; the Keras 3 reader passes over what it does not need
    if found is not None and found != len(model.weights):
        reason = f"it holds {found} arrays, the network without its top has {len(model.weights)}"
        raise ConfigError([_unusable(path, name, layout, reason)])
    wrong = _not_numbers(model)
    if wrong is not None:
        raise ConfigError([_unusable(path, name, layout, wrong)])
    _mend_normalization(model)


def _not_numbers(model: keras.Model) -> str | None:
    """Which weights are nan, infinite or a variance below 0; None where there are none."""
    wrong = [
        variable.path
        for variable in model.weights
        if not np.isfinite(values := np.asarray(variable)).all()
        or ("variance" in variable.name and (values < 0).any())
    ]
    if not wrong:
        return None
    more = f" and {len(wrong) - 1} more arrays" if len(wrong) > 1 else ""
    return f"{wrong[0]}{more} has values that are nan, infinite, or a variance below 0"


def _unusable(path: Path, name: str, layout: str, reason: str) -> str:
    first = " ".join(reason.split())[:200]
    return (
        f"backbone.weights={path} does not fit {name} without its top, read as {layout} by its "
        f"suffix: {first}; {_REMEDY.format(f'a file saved from {name} with include_top=False')}"
    )


def _layout(path: Path, name: str) -> str:
    """What the suffix promises, once the content is seen not to break the promise."""
    if not path.is_file() or path.suffix not in {".h5", ".hdf5", ".keras"}:
        raise ConfigError(
            [
                f"backbone.weights={path} must be a file ending in .weights.h5 (Keras 3 weights), "
                f".keras (Keras 3 model) or .h5 (legacy layout); {_REMEDY.format('such a file')}"
            ]
        )
    if path.suffix == ".keras":
        return "a Keras 3 model"
    if path.name.endswith(".weights.h5"):
        return "Keras 3 weights"
    with contextlib.suppress(OSError), h5py.File(path) as file:
        if "layers" in file and "layer_names" not in file.attrs and "model_weights" not in file:
            raise ConfigError(
                [
                    f"backbone.weights={path} holds Keras 3 weights of {name} or another network, "
                    "and its suffix promises the legacy layout; rename it to "
                    f"{path.stem}.weights.h5 and set backbone.weights to that, or train from "
                    "scratch with freeze=scratch"
                ]
            )
    return "legacy .h5"


def _count_arrays(path: Path) -> int:
    """Arrays of layers in a Keras 3 file; optimizer and random generators left out."""
    paths: list[str] = []

    def visit(key: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and "seed_generator" not in key:
            paths.append(key)

    with contextlib.ExitStack() as stack:
        source: object = path
        if path.suffix == ".keras":
            archive = stack.enter_context(zipfile.ZipFile(path))
            source = stack.enter_context(archive.open("model.weights.h5"))
        stack.enter_context(h5py.File(source, "r"))["layers"].visititems(visit)
    return len(paths)


def _mend_normalization(model: keras.Model) -> None:
    """Make a loaded official EfficientNet file mean what ``weights="imagenet"`` makes it mean.

    The official files keep the standard deviation where Keras' Normalization expects the
    variance; keras.applications makes up for it with one more Rescaling layer, but only under
    ``weights="imagenet"`` (keras/src/applications/efficientnet.py, tensorflow issue 49930).
    """
    for layer in model.layers:
        if not isinstance(layer, keras.layers.Normalization) or not layer.weights:
            continue  # some networks have fixed statistics instead of loaded ones
        mean, variance, *count = layer.get_weights()
        if variance.shape == (3,) and np.allclose(variance, _IMAGENET_STDDEV, rtol=1e-4):
            layer.set_weights([mean, variance * np.asarray(_IMAGENET_STDDEV), *count])
        layer.finalize_state()


@contextlib.contextmanager
def downloading(name: str) -> Iterator[None]:
    """Within it Keras may download ImageNet weights; it fails soon, and says what is missing.

    Raises:
        MissingInput: the weights are not in the cache and cannot be downloaded.
    """
    if not _is_cached(name) and _hangs(HOST, _CONNECT_SECONDS):
        raise _absent(name, f"no answer from {HOST} in {_CONNECT_SECONDS:.0f} s")
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_STALL_SECONDS)
    try:
        yield
    except Exception as error:
        # Keras raises a bare Exception when the download fails, ValueError when its hash is wrong
        reason = str(error)
        failures = ("URL fetch failure", "Incomplete or corrupted file")
        if not isinstance(error, OSError) and not reason.startswith(failures):
            raise
        raise _absent(name, reason) from error
    finally:
        socket.setdefaulttimeout(before)


def _absent(name: str, reason: str) -> MissingInput:
    address = re.search(r"https?://\S+/(\S+\.h5)", reason)
    file = address.group(1) if address else "the no-top file that keras.applications names"
    return MissingInput(
        f"the ImageNet weights of {name} are not here: looked for {file} in {cache_folder()}, and "
        f"the download failed ({reason}). Copy the file to that folder, or "
        + _REMEDY.format("a file you have")
    )


def _hangs(address: str, seconds: float) -> bool:
    """Whether a connection neither succeeds nor fails in time."""
    try:
        probe(address, seconds)
    except TimeoutError:
        return True
    except OSError:
        return False  # a failure is an answer: Keras will fail alike, and name the file
    return False
