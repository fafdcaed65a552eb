"""Every network that a recipe may name: its blocks, and what trains when some are unfrozen."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networks import cuts, freeze_config, head_config, one_step, random_images, smallest_size
from test_catalogue import PAGE

from sweeper import config
from sweeper.models import catalogue
from sweeper.models.blocks import Block, divide, find_blocks
from sweeper.models.build import Classifier, attach_head
from sweeper.models.pretrained import networks, weights
from sweeper.models.size import flops

pytestmark = pytest.mark.families

SMALL = (
    *("efficientnet_b0", "efficientnet_lite0", "efficientnet_scaled", "efficientnet_v2_b0"),
    *("mobilenet", "mobilenet_v2", "mobilenet_v3_small", "xception", "resnet50", "resnet50_v2"),
    *("densenet121", "inception_v3", "inception_resnet_v2", "nasnet_mobile", "convnext_tiny"),
    "vgg16",
)
"""The smallest of each family: these are trained, too."""

BatchNorm = keras.layers.BatchNormalization


@dataclass(frozen=True)
class Network:
    option: str
    config: config.Backbone
    classifier: Classifier

    @property
    def model(self) -> keras.Model:
        return self.classifier.backbone

    @property
    def blocks(self) -> tuple[Block, ...]:
        return self.classifier.blocks


def _made(option: str) -> Network:
    keras.utils.set_random_seed(2)
    backbone = catalogue.options()[option].model_copy(update={"weights": None})
    model = networks.build_backbone(backbone, smallest_size(backbone.name), None)
    return Network(option, backbone, attach_head(model, head_config(batch_norm=True), 3))


@pytest.fixture(scope="module", params=catalogue.options())
def network(request: pytest.FixtureRequest) -> Iterator[Network]:
    yield _made(request.param)
    keras.backend.clear_session()


@pytest.fixture(scope="module", params=SMALL)
def small(request: pytest.FixtureRequest) -> Iterator[Network]:
    yield _made(request.param)
    keras.backend.clear_session()


def test_every_layer_is_in_exactly_one_block(network: Network) -> None:
    held = Counter(name for block in network.blocks for name in block.layers)
    assert held == Counter(operation.name for operation in network.model.operations)
    names = [block.name for block in network.blocks]
    assert len(set(names)) == len(names)
    # nothing that a process counts
    kinds = r"conv2d|batch_normalization|activation|add|concatenate|re_lu"
    assert not [name for name in names if re.fullmatch(rf"({kinds})(_\d+)?", name)]
    assert len(names) > 4


def test_its_operations_can_be_counted(network: Network) -> None:
    # each number of a kernel multiplies once at least, and kernels are most of all numbers
    assert flops(network.classifier.inference_model()) > network.model.count_params()


def test_blocks_end_where_one_tensor_crosses(network: Network) -> None:
    ends = [block.output for block in network.blocks]
    if not network.config.name.startswith("NASNet"):
        assert set(ends) <= set(cuts(network.model))
        return
    assert len(set(ends) & set(cuts(network.model))) == 2  # the stem, and the top
    for block in network.blocks[1:]:
        cell = block.name.removeprefix("cell_")
        learning = [name for name in block.layers if _weights(network.model, name)]
        assert all(name.endswith(f"_{cell}") for name in learning)


def _weights(model: keras.Model, name: str) -> list[Any]:
    return next((layer.weights for layer in model.layers if layer.name == name), [])


def _numbered(pattern: str, numbers: Iterable[int]) -> list[str]:
    return [pattern.format(number) for number in numbers]


NAMES = {
    "mobilenet": ["stem", *_numbered("block_{}", range(1, 14))],
    "mobilenet_v2": ["stem", "expanded_conv", *_numbered("block_{}", range(1, 17)), "top"],
    "mobilenet_v3_small": [
        *("stem", "expanded_conv", *_numbered("expanded_conv_{}", range(1, 11)), "top")
    ],
    "xception": _numbered("block{}", range(1, 15)),
    "resnet50": [
        "stem",
        *(f"conv{n}_block{i}" for n, m in enumerate((3, 4, 6, 3), 2) for i in range(1, m + 1)),
    ],
    "densenet121": [
        *("stem", *_numbered("conv2_block{}", range(1, 7)), "pool2"),
        *(*_numbered("conv3_block{}", range(1, 13)), "pool3"),
        *(*_numbered("conv4_block{}", range(1, 25)), "pool4"),
        *_numbered("conv5_block{}", range(1, 17)),
    ],
    "inception_v3": ["stem", *_numbered("mixed{}", range(11))],
    "inception_resnet_v2": [
        *("stem", "mixed_5b", *_numbered("block35_{}", range(1, 11))),
        *("mixed_6a", *_numbered("block17_{}", range(1, 21))),
        *("mixed_7a", *_numbered("block8_{}", range(1, 11)), "top"),
    ],
    "nasnet_mobile": [
        *("stem", "cell_stem_1", "cell_stem_2", *_numbered("cell_{}", range(4))),
        *("cell_reduce_4", *_numbered("cell_{}", range(5, 9))),
        *("cell_reduce_8", *_numbered("cell_{}", range(9, 13))),
    ],
    "convnext_tiny": [
        *("stem", *_numbered("stage_0_block_{}", range(3)), "downsampling_block_0"),
        *(*_numbered("stage_1_block_{}", range(3)), "downsampling_block_1"),
        *(*_numbered("stage_2_block_{}", range(9)), "downsampling_block_2"),
        *(*_numbered("stage_3_block_{}", range(3)), "top"),
    ],
    "vgg16": _numbered("block{}", range(1, 6)),
}
NAMES["resnet50_v2"] = NAMES["resnet50"]


def test_blocks_are_those_that_a_person_would_name(small: Network) -> None:
    letters = {"efficientnet_v2_b0": (1, 2, 2, 3, 5, 8)}
    repeats = letters.get(small.option, (1, 2, 2, 3, 3, 4, 1))
    middle = [f"block{n}{chr(97 + i)}" for n, m in enumerate(repeats, 1) for i in range(m)]
    expected = NAMES.get(small.option, ["stem", *middle, "top"])
    assert [block.name for block in small.blocks] == expected


def test_recipe_and_documentation_describe_the_network(network: Network) -> None:
    assert len(network.blocks) == network.config.blocks or network.config.name == config.SCALED
    has_depth = bool(networks.stochastic_depth(network.model))
    assert network.config.stochastic_depth == has_depth
    line = catalogue.row(network.option, network.config, network.model.count_params())
    assert line in PAGE.read_text(encoding="utf-8").splitlines()


def _expected(network: Network, k: int) -> set[int]:
    """Weights of the head and of the top ``k`` blocks, BatchNorm's left out."""
    total = len(network.blocks)
    top = {name for block in network.blocks[total - k :] for name in block.layers}
    statistics = (BatchNorm, keras.layers.Normalization)
    learning = [
        weight
        for layer in network.model.layers
        if layer.name in top and not isinstance(layer, statistics)
        for weight in layer.weights
    ]
    head = [weight for weight in network.classifier.head.weights if "moving_" not in weight.name]
    return {id(weight) for weight in [*learning, *head]}


@settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_unfreezing_k_blocks_makes_exactly_their_weights_trainable(
    network: Network, data: st.DataObject
) -> None:
    k = data.draw(st.integers(0, len(network.blocks)))
    split_model = network.classifier.split_model(freeze_config(unfreeze_blocks=k)).thaw()
    assert {id(weight) for weight in split_model.trainable_variables} == _expected(network, k)
    depths = network.classifier.depths(split_model.trainable_variables)
    assert set(depths) == set(range(k + 1))


def test_a_step_changes_the_weights_of_unfrozen_blocks_and_no_others(small: Network) -> None:
    classifier, total = small.classifier, len(small.blocks)
    variables = [*classifier.backbone.weights, *classifier.head.weights]
    statistics = {id(weight) for weight in classifier.head.weights if "moving_" in weight.name}
    photos = random_images(smallest_size(small.config.name))
    for k in (total // 3, total):
        split_model = classifier.split_model(freeze_config(unfreeze_blocks=k)).thaw()
        before = {id(weight): weight.numpy() for weight in variables}
        one_step(split_model, photos)
        changed = {
            id(weight)
            for weight in variables
            if not np.array_equal(before[id(weight)], weight.numpy())
        }
        assert changed == _expected(small, k) | statistics


def test_the_parts_below_and_above_a_block_are_the_whole(small: Network) -> None:
    photos = random_images(smallest_size(small.config.name))
    whole = np.asarray(small.model(photos))
    total = len(small.blocks)
    for below in (1, total // 2, total - 1):
        lower, upper = divide(small.model, small.blocks[:below])
        np.testing.assert_allclose(upper(lower(photos)), whole, rtol=1e-5, atol=1e-6)


def test_layers_are_counted_as_keras_counts_them(small: Network) -> None:
    if small.config.name in {config.LITE0, config.SCALED}:
        pytest.skip("not one of keras.applications")
    size = smallest_size(small.config.name)
    constructor = getattr(keras.applications, small.config.name)
    keras.backend.clear_session()  # names as of the first network of a process
    theirs = constructor(weights=None, include_top=False, input_shape=(size, size, 3))
    names = [layer.name for layer in theirs.layers[1:]]  # the input's name is ours
    assert [layer.name for layer in small.model.layers[-len(names) :]] == names
    freeze = freeze_config(unfreeze_layers=len(names) // 2)
    small.classifier.split_model(freeze).thaw()
    trainable = [layer.name for layer in small.model.layers if layer.trainable]
    expected = [
        layer.name
        for layer in theirs.layers[-freeze.unfreeze_layers :]
        if not isinstance(layer, BatchNorm)
    ]
    assert trainable == expected
    count = len(theirs.layers)
    small.classifier.split_model(freeze_config(unfreeze_layers=count)).thaw()
    with pytest.raises(Exception, match=f"must be <= {count}, the number of layers"):
        small.classifier.split_model(freeze_config(unfreeze_layers=count + 1)).thaw()
    assert find_blocks(theirs)[-1].name == small.blocks[-1].name


def test_imagenet_weights_ask_for_no_other_network(
    small: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a file with these weights, given by its path, would mean something else."""
    if small.config.name in {config.LITE0, config.SCALED}:
        pytest.skip("not downloaded")
    asked = []
    monkeypatch.setattr(weights, "_is_cached", lambda _: True)
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", lambda name, *_, **__: name)
    monkeypatch.setattr(keras.Model, "load_weights", lambda _, path, **__: asked.append(path))
    pretrained = small.config.model_copy(update={"weights": "imagenet"})
    model = networks.build_backbone(pretrained, smallest_size(pretrained.name), None)
    (path,) = asked
    assert re.sub(r"[\W_]", "", pretrained.name.lower()) in re.sub(r"[\W_]", "", path.lower())
    kinds = Counter(type(layer).__name__ for layer in model.layers)
    more = kinds - Counter(type(layer).__name__ for layer in small.model.layers)
    # the one that sweeper.models.pretrained.weights makes up for
    assert more == ({"Rescaling": 1} if pretrained.name == "EfficientNetB0" else {})
    assert len(find_blocks(model)) == len(small.blocks)
