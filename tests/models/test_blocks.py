"""Cuts and blocks: on the networks of keras.applications, and on networks drawn at random."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import SIZE, backbone_config, cuts

from sweeper.models.blocks import divide, find_blocks
from sweeper.models.pretrained import networks


def _check_partition(model: keras.Model) -> None:
    blocks = find_blocks(model)
    place = {operation.name: index for index, operation in enumerate(model.operations)}
    # each exactly once, and in an order in which every operation follows its inputs
    assert [name for block in blocks for name in block.layers] == list(place)
    assert {block.output for block in blocks} <= set(cuts(model))
    assert all(block.output == block.layers[-1] for block in blocks)


def test_blocks_of_efficientnets(b0: keras.Model, lite0: keras.Model) -> None:
    assert len(cuts(b0)) == 83
    repeats = [1, 2, 2, 3, 3, 4, 1]
    middle = [f"block{n}{'abcd'[i]}" for n, count in enumerate(repeats, 1) for i in range(count)]
    for model in (b0, lite0):
        _check_partition(model)
        blocks = find_blocks(model)
        assert [block.name for block in blocks] == ["stem", *middle, "top"]
        assert [block.output for block in blocks][-4:] == [
            *("block6c_add", "block6d_add", "block7a_project_bn", "top_activation")
        ]
        assert all(name.startswith("block6a_") for name in blocks[12].layers)


@pytest.mark.parametrize(
    ("name", "size", "count"),
    [
        ("VGG16", SIZE, 19),
        ("MobileNetV2", SIZE, 74),
        pytest.param("Xception", 71, 25, marks=pytest.mark.slow),
        pytest.param("ResNet50", SIZE, 39, marks=pytest.mark.slow),
    ],
)
def test_cuts_of_other_applications(name: str, size: int, count: int) -> None:
    model = networks.build_backbone(backbone_config(name), size, None)
    ours = {"tf": 1, "caffe": 2}[backbone_config(name).preprocessing]
    assert len(cuts(model)) == count + ours
    _check_partition(model)


def test_shortcuts_without_a_mark_are_in_the_block_that_they_skip() -> None:
    model = networks.build_backbone(backbone_config("Xception"), 71, None)
    blocks = {block.name: block for block in find_blocks(model)}
    layers = [model.get_layer(layer) for layer in blocks["block2"].layers]
    kinds = [type(layer).__name__ for layer in layers if not layer.name.startswith("block2_")]
    assert sorted(kinds) == ["Add", "BatchNormalization", "Conv2D"]


def test_without_marks_every_part_that_can_train_is_a_block() -> None:
    layers = keras.layers
    x = images = keras.Input((8, 8, 3))
    x = layers.Rescaling(1 / 255)(x)
    for name in ("one", "two"):
        x = layers.Conv2D(2, 3, name=name)(x)
        x = layers.BatchNormalization(name=f"{name}_bn")(x)
        x = layers.ReLU(name=f"{name}_relu")(x)
    model = keras.Model(images, x)
    blocks = find_blocks(model)
    assert [(block.name, block.output) for block in blocks] == [
        ("one", "one_relu"),
        ("two", "two_relu"),
    ]
    assert blocks[0].layers[0] == model.layers[0].name


def test_networks_without_blocks_are_refused() -> None:
    layers = keras.layers
    images = keras.Input((4,))
    with pytest.raises(ValueError, match=r"nothing in .* can train"):
        find_blocks(keras.Model(images, layers.BatchNormalization()(images)))
    shared = layers.Dense(4)
    with pytest.raises(ValueError, match="called twice"):
        find_blocks(keras.Model(images, shared(shared(images))))
    with pytest.raises(ValueError, match="more than one output"):
        find_blocks(keras.Model(images, [layers.Dense(2)(images), layers.Dense(3)(images)]))


# a network is a chain of stages; a stage is a branch beside nothing, a shortcut or other branches
_BRANCH = st.lists(st.sampled_from(["dense", "relu", "batch_norm"]), min_size=1, max_size=3)
_STAGE = st.tuples(
    st.lists(_BRANCH, min_size=1, max_size=3),
    st.sampled_from(["add", "operator", "concatenate"]),
    st.booleans(),  # a shortcut
    st.sampled_from(["", "block1a_", "block1b_", "block_2_", "conv3_block1_"]),  # its mark
)


def _layer(kind: str, name: str) -> keras.Layer:
    if kind == "dense":
        return keras.layers.Dense(3, name=name)
    if kind == "relu":
        return keras.layers.ReLU(name=name)
    return keras.layers.BatchNormalization(name=name)


def _draw_network(stages: Sequence[Any]) -> keras.Model:
    inputs = x = keras.Input((3,), name="input")
    x = keras.layers.Dense(3, name="first")(x)
    for number, (branches, join, shortcut, mark) in enumerate(stages):
        ends = [x] if shortcut else []
        for letter, branch in zip("abc", branches, strict=False):
            end = x
            for depth, kind in enumerate(branch):
                end = _layer(kind, f"{mark}s{number}{letter}{depth}_{kind}")(end)
            ends.append(end)
        if len(ends) == 1:
            (x,) = ends
        elif join == "add":
            x = keras.layers.Add(name=f"{mark}s{number}_add")(ends)
        elif join == "operator":
            x = sum(ends[1:], start=ends[0])
        else:
            x = keras.layers.Concatenate(name=f"s{number}_concat")(ends)
            x = keras.layers.Dense(3, name=f"{mark}s{number}_down")(x)
    return keras.Model(inputs, x)


def _is_cut(model: keras.Model, name: str) -> bool:
    """By brute force: whether every way from the input to the output leads through ``name``."""
    maker = {id(operation.output): operation for operation in model.operations}
    seen, todo = set(), [maker[id(model.output)]]
    while todo:
        operation = todo.pop()
        if operation.name == name or operation.name in seen:
            continue
        seen.add(operation.name)
        if not isinstance(operation, keras.layers.InputLayer):
            todo += [maker[id(tensor)] for tensor in keras.tree.flatten(operation.input)]
    return model.input.name not in seen


@settings(max_examples=15, deadline=None)
@given(st.lists(_STAGE, min_size=1, max_size=4))
def test_random_networks_are_cut_and_recomposed(stages: Sequence[Any]) -> None:
    model = _draw_network(stages)
    operations = [operation.name for operation in model.operations]
    assert cuts(model) == [name for name in operations if _is_cut(model, name)]
    _check_partition(model)

    features = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    blocks = find_blocks(model)
    for below in range(1, len(blocks)):
        lower, upper = divide(model, blocks[:below])
        assert len(lower.outputs) == 1
        np.testing.assert_array_equal(upper(lower(features)), model(features))


def test_names_may_end_a_block_where_several_tensors_cross() -> None:
    layers = keras.layers
    x = images = keras.Input((4,), name="image")
    x = layers.Dense(4, name="stem")(x)
    before = x
    for cell in range(3):  # reads the two before it, as NASNet's do
        left, right = (
            layers.Dense(4, name=f"l_{cell}")(x),
            layers.Dense(4, name=f"r_{cell}")(before),
        )
        before, x = x, layers.Concatenate(name=f"normal_concat_{cell}")([left, right])
    model = keras.Model(images, layers.ReLU(name="relu")(x))
    blocks = find_blocks(model)
    assert [(block.name, block.output) for block in blocks] == [
        ("stem", "stem"),
        ("cell_0", "normal_concat_0"),
        ("cell_1", "normal_concat_1"),
        ("cell_2", "relu"),
    ]
    assert {"l_1", "r_1"} <= set(blocks[2].layers)
    lower, upper = divide(model, blocks[:2])
    assert len(lower.outputs) == 2
    features = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    np.testing.assert_array_equal(upper(lower(features)), model(features))
