"""Weights from files and downloads: the right network, or an error that says what corrects it."""

import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from networks import SIZE, backbone_config, tiny_backbone

from sweeper.errors import ConfigError, MissingInput
from sweeper.models.pretrained import networks, weights

Save = Callable[[keras.Model, Path], Any]


def _load(name: str, path: Path) -> keras.Model:
    return networks.build_backbone(backbone_config(name, str(path)), SIZE, None)


@pytest.mark.parametrize("file", ["w.weights.h5", "w.keras", "w.h5"])
def test_every_layout_gives_the_network_back(file: str, tmp_path: Path) -> None:
    source, target = tiny_backbone(), tiny_backbone()
    path = tmp_path / file
    source.save_weights(path) if "weights" in file else source.save(path)
    weights.load_file(target, path, "Tiny")
    for ours, theirs in zip(target.weights, source.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("file", ["w.weights.h5", "w.keras"])
def test_weights_that_are_no_numbers_are_refused(file: str, bad: float, tmp_path: Path) -> None:
    source = tiny_backbone()
    values = source.weights[0].numpy()
    values.flat[-1] = bad
    source.weights[0].assign(values)
    path = tmp_path / file
    source.save_weights(path) if "weights" in file else source.save(path)
    with pytest.raises(ConfigError, match=r"values that are nan, infinite"):
        weights.load_file(tiny_backbone(), path, "Tiny")


def test_a_variance_below_zero_is_refused(tmp_path: Path) -> None:
    source = tiny_backbone()
    (variance, *_) = (one for one in source.weights if "variance" in one.name)
    variance.assign(variance - 2)
    source.save_weights(tmp_path / "w.weights.h5")
    with pytest.raises(ConfigError, match="a variance below 0"):
        weights.load_file(tiny_backbone(), tmp_path / "w.weights.h5", "Tiny")


@pytest.mark.parametrize(
    ("suffix", "rate"),
    [(".h5", None), pytest.param(".weights.h5", 0.0, marks=pytest.mark.more)],
)
def test_the_official_efficientnet_file_means_what_imagenet_means(
    suffix: str,
    rate: float | None,
    b0: keras.Model,
    official_b0_file: Path,
    images: Any,
    tmp_path: Path,
) -> None:
    # weights="imagenet" adds this Rescaling behind the Normalization
    (norm,) = (layer for layer in b0.layers if isinstance(layer, keras.layers.Normalization))
    rescaling = keras.layers.Rescaling([stddev**-0.5 for stddev in (0.229, 0.224, 0.225)])
    expected = keras.Model(norm.output, b0.output)(
        rescaling(keras.Model(b0.input, norm.output)(images))
    )
    path = official_b0_file
    if suffix == ".weights.h5":
        path = tmp_path / "b0.weights.h5"
        b0.save_weights(path)
    config = backbone_config("EfficientNetB0", str(path))
    outputs = np.asarray(networks.build_backbone(config, SIZE, rate)(images))
    scale = np.abs(expected).max()
    assert np.abs(outputs - expected).max() < 1e-5 * scale
    assert np.abs(outputs - b0(images)).max() > 0.01 * scale


@pytest.mark.more
@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".weights.h5", ".h5"])
@pytest.mark.parametrize(
    "name",
    ["EfficientNetV2B0", "DenseNet121", "ConvNeXtTiny", "ResNet50"],
)
def test_a_file_of_a_family_is_read_behind_our_preprocessing(
    name: str, suffix: str, images: Any, tmp_path: Path
) -> None:
    # as Keras makes it: under weights="imagenet", too, these have no layers beside these
    constructor = getattr(keras.applications, name)
    theirs = constructor(weights=None, include_top=False, input_shape=(SIZE, SIZE, 3))
    path = tmp_path / f"w{suffix}"
    theirs.save_weights(path) if "weights" in suffix else theirs.save(path)
    keras.utils.set_random_seed(9)
    ours = _load(name, path)
    preprocess_input = sys.modules[constructor.__module__].preprocess_input
    expected = np.asarray(theirs(preprocess_input(images.copy())))
    difference = np.abs(np.asarray(ours(images)) - expected).max()
    assert difference < 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize(
    ("stored", "meant"),
    [
        ((0.229, 0.224, 0.225), (0.052441, 0.050176, 0.050625)),  # official: deviations
        ((0.052441, 0.050176, 0.050625), (0.052441, 0.050176, 0.050625)),
        ((1.0, 2.0, 3.0), (1.0, 2.0, 3.0)),
    ],
)
def test_only_the_official_statistics_are_corrected(
    stored: tuple[float, ...], meant: tuple[float, ...], tmp_path: Path
) -> None:
    images = keras.Input((2, 2, 3))
    model = keras.Model(images, keras.layers.Normalization(name="norm")(images))
    norm = model.get_layer("norm")
    norm.set_weights([np.zeros(3), np.array(stored), np.array(0)])
    model.save_weights(tmp_path / "w.weights.h5")
    norm.set_weights([np.ones(3), np.ones(3), np.array(0)])
    weights.load_file(model, tmp_path / "w.weights.h5", "Tiny")
    outputs = np.asarray(model(np.ones((1, 2, 2, 3), "float32")))
    np.testing.assert_allclose(outputs[0, 0, 0], np.array(meant) ** -0.5, rtol=1e-5)


def _with_top(model: keras.Model) -> keras.Model:
    x = keras.layers.GlobalAveragePooling2D()(model.output)
    return keras.Model(model.input, keras.layers.Dense(5, name="predictions")(x))


def _truncated(save: Save) -> Save:
    def write(model: keras.Model, path: Path) -> None:
        save(model, path)
        path.write_bytes(path.read_bytes()[:4_000])

    return write


def _renamed(model: keras.Model, path: Path) -> None:
    model.save_weights(path.with_suffix(".weights.h5"))
    path.with_suffix(".weights.h5").rename(path)


@pytest.mark.parametrize(
    ("file", "save", "reason"),
    [
        ("f.weights.h5", _truncated(keras.Model.save_weights), "read as Keras 3 weights"),
        ("f.keras", _truncated(keras.Model.save), "read as a Keras 3 model"),
        ("f.h5", _truncated(keras.Model.save), "read as legacy .h5"),
        ("f.h5", _renamed, "rename it to f.weights.h5"),
        ("f.weights.h5", lambda m, p: _with_top(m).save_weights(p), "holds 19 arrays, .* has 17"),
        ("f.keras", lambda m, p: _with_top(m).save(p), "holds 19 arrays, .* has 17"),
        ("f.h5", lambda m, p: _with_top(m).save(p), "Layer count mismatch"),
        ("f.pth", lambda _, p: p.write_bytes(b""), r"must be a file ending in \.weights\.h5"),
        ("f.h5", lambda _, p: p.mkdir(), r"must be a file ending in \.weights\.h5"),
        ("f.weights.h5", lambda _, p: p.write_bytes(b""), "read as Keras 3 weights"),
    ],
    ids=[
        *("truncated weights", "truncated keras", "truncated legacy", "renamed"),
        *("weights with top", "keras with top", "legacy with top", "suffix", "folder", "empty"),
    ],
)
def test_unusable_files_are_refused(
    file: str, save: Save, reason: str, tiny: keras.Model, tmp_path: Path
) -> None:
    path = tmp_path / file
    save(tiny, path)
    with pytest.raises(ConfigError, match=reason) as caught:
        weights.load_file(tiny_backbone(), path, "Tiny")
    (fault,) = caught.value.faults
    assert f"backbone.weights={path}" in fault
    assert "freeze=scratch" in fault
    assert len(fault) < 600 + len(str(path))


def test_a_file_of_another_network_is_refused(
    official_b0_file: Path, lite0: keras.Model, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"does not fit MobileNetV2 without its top"):
        _load("MobileNetV2", official_b0_file)
    other = tmp_path / "lite0.weights.h5"
    lite0.save_weights(other)
    with pytest.raises(ConfigError, match="does not fit Tiny without its top"):
        weights.load_file(tiny_backbone(), other, "Tiny")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "absent.weights.h5"
    with pytest.raises(MissingInput, match=re.escape(f"backbone.weights={path} does not exist")):
        _load("EfficientNetLite0", path)


@pytest.fixture
def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path))  # read at import
    return tmp_path / "models"


def test_without_a_network_the_missing_download_is_named(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_names(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_names)
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(MissingInput) as caught:
        networks.build_backbone(backbone_config("EfficientNetB0", "imagenet"), SIZE, None)
    text = str(caught.value)
    assert f"looked for efficientnetb0_notop.h5 in {empty_cache}" in text
    assert "ImageNet weights of EfficientNetB0" in text
    assert "Name or service not known" in text
    assert "backbone.weights=<path>" in text
    assert "freeze=scratch" in text
    assert socket.getdefaulttimeout() is None


def test_a_silent_network_is_not_waited_for(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "_hangs", lambda *_: True)
    with pytest.raises(MissingInput, match="no answer from"):
        networks.build_backbone(backbone_config("EfficientNetB0", "imagenet"), SIZE, None)
    empty_cache.mkdir()
    (empty_cache / "efficientnetb0_notop.h5").touch()
    with weights.downloading("EfficientNetB0"):
        pass


def test_other_errors_pass_through_a_download(empty_cache: Path) -> None:
    empty_cache.mkdir()
    (empty_cache / "vgg16_notop.h5").touch()
    with pytest.raises(ZeroDivisionError), weights.downloading("VGG16"):
        _ = 1 / 0
    with pytest.raises(MissingInput, match="timed out"), weights.downloading("VGG16"):
        raise TimeoutError("timed out")


def test_a_connection_that_neither_succeeds_nor_fails_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        assert weights._hangs(address, 0.2)
    assert not weights._hangs(address, 5.0)
