"""Classifiers: what trains in which phase, and what is kept."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import pytest
from networks import (
    SIZE,
    backbone_config,
    freeze_config,
    head_config,
    one_step,
    random_images,
    tiny_backbone,
)

from sweeper import config
from sweeper.errors import ConfigError
from sweeper.models.build import Classifier, attach_head
from sweeper.models.pretrained.networks import build_backbone

BatchNorm = keras.layers.BatchNormalization


@pytest.fixture(scope="module", params=["EfficientNetLite0", "MobileNetV2"])
def classifier(request: pytest.FixtureRequest) -> Classifier:
    keras.utils.set_random_seed(1)
    backbone = build_backbone(backbone_config(request.param), SIZE, None)
    return attach_head(backbone, head_config(batch_norm=True), n_classes=3)


@pytest.fixture
def photos() -> Any:
    return random_images(8)


def _top(k: int | Literal["all"], **changes: Any) -> config.Freeze:
    return freeze_config(unfreeze_blocks=k, **changes)


def _expected(classifier: Classifier, k: int) -> set[str]:
    total = len(classifier.blocks)
    top = [name for block in classifier.blocks[total - k :] for name in block.layers]
    layers = [classifier.backbone.get_layer(name) for name in top]
    learning = [
        weight
        for layer in layers
        if not isinstance(layer, BatchNorm | keras.layers.Normalization)
        for weight in layer.weights
    ]
    head = [weight for weight in classifier.head.weights if "moving_" not in weight.name]
    return {weight.path for weight in [*learning, *head]}


def test_exactly_the_top_blocks_and_the_head_train(classifier: Classifier) -> None:
    total = len(classifier.blocks)
    numbers = []
    for k in (0, 1, 3, total, 2):  # down again: what was unfrozen freezes
        split_model = classifier.split_model(_top(k)).thaw()
        assert {weight.path for weight in split_model.trainable_variables} == _expected(
            classifier, k
        )
        numbers.append(len(split_model.trainable_variables))
    assert numbers[0] == 4  # of the head: scale and shift, kernel and bias
    assert numbers[0] < numbers[1] < numbers[2] < numbers[3]
    alone = {weight.path for weight in classifier.split_model(None).thaw().trainable_variables}
    assert alone == _expected(classifier, 0)
    everything = classifier.split_model(_top("all")).thaw().trainable_variables
    assert {weight.path for weight in everything} == _expected(classifier, total)


def test_one_step_changes_exactly_what_trains(classifier: Classifier) -> None:
    split_model = classifier.split_model(_top(2)).thaw()
    weights = [*classifier.backbone.weights, *classifier.head.weights]
    before = {weight.path: weight.numpy() for weight in weights}
    one_step(split_model, random_images(SIZE))
    changed = {
        weight.path for weight in weights if not np.array_equal(before[weight.path], weight.numpy())
    }
    statistics = {weight.path for weight in classifier.head.weights if "moving_" in weight.name}
    assert changed == _expected(classifier, 2) | statistics


def test_there_are_only_so_many_blocks(b0: keras.Model) -> None:
    classifier = attach_head(b0, head_config(), 3)
    with pytest.raises(ConfigError) as caught:
        classifier.split_model(_top(40)).thaw()
    assert caught.value.faults == (
        "freeze.unfreeze_blocks must be <= 18, the number of blocks of EfficientNetB0, got 40",
    )


def _drawn(classifier: Classifier) -> dict[str, bool]:
    """Whether stochastic depth has drawn random numbers, by layer; seeds start at (seed, 0)."""
    return {
        layer.name: bool(np.asarray(layer.seed_generator.state)[1])
        for layer in classifier.backbone.layers
        if layer.name.endswith("_drop")
    }


def test_stochastic_depth_acts_in_unfrozen_blocks_only(tiny: keras.Model, photos: Any) -> None:
    classifier = attach_head(tiny, head_config(), 2)
    assert [block.name for block in classifier.blocks] == ["block1a", "block1b", "block2a"]
    for k, expected in [
        (0, {"block1b_drop": False, "block2a_drop": False}),
        (1, {"block1b_drop": False, "block2a_drop": True}),
        ("all", {"block1b_drop": True, "block2a_drop": True}),
    ]:
        split_model = classifier.split_model(_top(k)).thaw()
        one_step(split_model, photos)
        assert _drawn(classifier) == expected


def test_training_mode_reaches_the_unfrozen_part_only(tiny: keras.Model, photos: Any) -> None:
    classifier = attach_head(tiny, head_config(), 2)
    frozen = classifier.split_model(None).thaw()
    np.testing.assert_array_equal(frozen(photos, training=True), frozen(photos, training=False))
    split_model = classifier.split_model(_top(1)).thaw()
    outputs = [np.asarray(split_model(photos, training=True)) for _ in range(5)]
    assert any(not np.array_equal(outputs[0], output) for output in outputs)
    np.testing.assert_array_equal(split_model(photos), frozen(photos))


def test_all_split_models_share_weights_and_agree(lite0: keras.Model, images: Any) -> None:
    classifier = attach_head(lite0, head_config(), 3)
    logits = [
        np.asarray(classifier.split_model(_top(k)).thaw()(images)) for k in (0, 1, 7, 17, 18, "all")
    ]
    for other in logits[1:]:
        np.testing.assert_array_equal(logits[0], other)


@pytest.mark.parametrize("pooling", ["avg", "max", "flatten"])
def test_the_head_pools_as_configured(pooling: str, tiny: keras.Model, photos: Any) -> None:
    classifier = attach_head(tiny, head_config(pooling=pooling), 3)
    features = np.asarray(tiny(photos))
    pooled = {
        "avg": features.mean((1, 2)),
        "max": features.max((1, 2)),
        "flatten": features.reshape(len(photos), -1),
    }[pooling]
    kernel, bias = classifier.head.get_layer("logits").get_weights()
    logits = np.asarray(classifier.split_model(None).thaw()(photos))
    np.testing.assert_allclose(logits, pooled @ kernel + bias, rtol=1e-4, atol=1e-5)


def test_the_parts_of_a_head_stand_in_their_order(tiny: keras.Model, photos: Any) -> None:
    head = attach_head(tiny, head_config(batch_norm=True, hidden=6, dropout=0.5), 3).head
    names = [layer.name for layer in head.layers]
    assert names == ["features", "pool", "head_bn", "hidden", "head_dropout", "logits"]
    x = np.random.default_rng(0).normal(size=(4, 8, 8, 4)).astype("float32")
    kernel, bias = head.get_layer("hidden").get_weights()
    normed = x.mean((1, 2)) / np.sqrt(1 + 1e-3)  # fresh statistics: mean 0, variance 1
    hidden = np.maximum(normed @ kernel + bias, 0)
    kernel, bias = head.get_layer("logits").get_weights()
    np.testing.assert_allclose(head(x), hidden @ kernel + bias, rtol=1e-4, atol=1e-5)


def test_the_head_drops_out_as_configured(tiny: keras.Model, photos: Any) -> None:
    classifier = attach_head(tiny, head_config(dropout=0.9), 3)
    assert classifier.head.get_layer("head_dropout").rate == 0.9
    split_model = classifier.split_model(None).thaw()
    assert not np.array_equal(
        split_model(photos, training=True), split_model(photos, training=False)
    )


def test_one_logit_needs_two_classes(tiny: keras.Model) -> None:
    with pytest.raises(ConfigError, match=r"head\.one_logit needs 2 classes, the data set has 3"):
        attach_head(tiny, head_config(one_logit=True), 3)


@pytest.mark.parametrize("one_logit", [False, True])
def test_what_is_kept_loads_without_this_package(
    one_logit: bool, tiny: keras.Model, photos: Any, tmp_path: Path
) -> None:
    classifier = attach_head(tiny, head_config(batch_norm=True, one_logit=one_logit), 2)
    classifier.head.get_layer("logits").bias.assign([0.7] if one_logit else [0.7, -0.2])
    logits = np.asarray(classifier.split_model(None).thaw()(photos))
    if one_logit:
        second = 1 / (1 + np.exp(-logits))
        expected = np.concatenate([1 - second, second], axis=1)
    else:
        expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    model = classifier.inference_model()
    model.save(tmp_path / "model.keras")
    kept = keras.saving.load_model(tmp_path / "model.keras", custom_objects={}, compile=False)
    np.testing.assert_allclose(model(photos), expected, rtol=1e-5)
    np.testing.assert_allclose(kept(photos), expected, rtol=1e-5)
    assert type(kept).__name__ == "Functional"


def test_what_is_kept_follows_training(tiny: keras.Model, photos: Any) -> None:
    classifier = attach_head(tiny, head_config(), 2)
    model = classifier.inference_model()
    before = np.asarray(model(photos))
    for weight in classifier.split_model(_top("all")).thaw().trainable_variables:
        weight.assign_add(np.full(weight.shape, 0.1))
    assert not np.allclose(before, model(photos))


@pytest.fixture
def half_precision() -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(before)


@pytest.mark.usefixtures("half_precision")
def test_logits_are_float32_in_half_precision(photos: Any) -> None:
    classifier = attach_head(tiny_backbone(), head_config(batch_norm=True), 2)
    split_model = classifier.split_model(_top(1)).thaw()
    assert split_model.unfrozen.output.dtype == "bfloat16"
    assert split_model(photos).dtype == "float32"
    assert classifier.inference_model()(photos).dtype == "float32"
    assert np.isfinite(one_step(split_model, photos))


@pytest.mark.parametrize("hidden", [None, 5])
def test_l2_is_in_the_training_loss_only(hidden: int | None, photos: Any) -> None:
    classifier = attach_head(tiny_backbone(), head_config(hidden=hidden, l2=0.5), 2)
    split_model = classifier.split_model(None).thaw()
    kernels = [weight for weight in classifier.head.weights if weight.path.endswith("kernel")]
    assert len(kernels) == (1 if hidden is None else 2)
    parts = split_model.split()
    assert parts is not None
    for model, given in ((split_model, photos), (parts[1], parts[0](photos))):
        penalty = 0.5 * sum(float(np.sum(np.square(kernel))) for kernel in kernels)
        assert float(sum(model.losses)) == pytest.approx(penalty, rel=1e-5)
        model.compile("sgd", keras.losses.CategoricalCrossentropy(from_logits=True))
        targets = np.eye(2, dtype=np.float32)[np.arange(len(photos)) % 2]
        plain = float(model.loss(targets, model(given, training=True)))
        history = model.fit(given, targets, batch_size=len(photos), verbose=0)
        (trained,) = history.history["loss"]
        assert trained == pytest.approx(plain + penalty, rel=1e-4)
    assert attach_head(tiny_backbone(), head_config(), 2).split_model(None).thaw().losses == []


def test_a_weights_file_reaches_the_classifier(lite0: keras.Model, tmp_path: Path) -> None:
    path = tmp_path / "w.weights.h5"
    lite0.save_weights(path)
    backbone = build_backbone(backbone_config("EfficientNetLite0", str(path)), SIZE, 0.5)
    classifier = attach_head(backbone, head_config(), 3)
    for ours, theirs in zip(classifier.backbone.weights, lite0.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    rates = {layer.rate for layer in classifier.backbone.layers if layer.name == "block6d_drop"}
    assert rates == {0.5 * 14 / 16}


def test_depths_count_blocks_from_the_logits_down(tiny: keras.Model) -> None:
    classifier = attach_head(tiny, head_config(batch_norm=True), 3)
    variables = classifier.split_model(_top("all", batch_norm="trained")).thaw().trainable_variables
    depths = dict(zip((v.path for v in variables), classifier.depths(variables), strict=True))
    assert depths == {
        "block1a_conv/kernel": 3,
        "block1a_bn/gamma": 3,
        "block1a_bn/beta": 3,
        "block1b_conv/kernel": 2,
        "block1b_conv/bias": 2,
        "block1b_bn/gamma": 2,
        "block1b_bn/beta": 2,
        "block2a_conv/kernel": 1,
        "block2a_conv/bias": 1,
        "block2a_bn/gamma": 1,
        "block2a_bn/beta": 1,
        "head_bn/gamma": 0,
        "head_bn/beta": 0,
        "logits/kernel": 0,
        "logits/bias": 0,
    }
    assert classifier.depths(variables[::-1]) == list(depths.values())[::-1]
    with pytest.raises(ValueError, match=r"not of Tiny: \['block1a_conv/kernel'\]"):
        classifier.depths(tiny_backbone().trainable_variables[:1])
