"""A recipe that runs, but should be thought over."""

import pytest
from recipes import recipe

from sweeper.config import large_for, warnings

RMSPROP = ("optimizer=rmsprop", "optimizer.momentum=0.9")
LARGE = ("optimizer=rmsprop", "phases.unfrozen.learning_rate=2e-3")


@pytest.mark.parametrize(
    "overrides",
    [
        RMSPROP,
        LARGE,
        ("optimizer=rmsprop", "optimizer.momentum=0.8", "phases.unfrozen.learning_rate=5e-4"),
        ("+optimizer@phases.unfrozen.optimizer=rmsprop", "phases.unfrozen.optimizer.momentum=0.95"),
        (*RMSPROP, "backbone=efficientnet_b0", "phases.unfrozen.learning_rate=1e-5"),
    ],
)
def test_rmsprop_as_the_efficientnet_paper_has_it(overrides: tuple[str, ...]) -> None:
    (printed,) = warnings(recipe(*overrides))
    assert "known to wreck pretrained weights" in printed
    assert "set optimizer=adam, or optimizer.momentum=0" in printed


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("optimizer=rmsprop",),
        ("optimizer=sgd", "phases.unfrozen.learning_rate=1e-2"),
        (*RMSPROP, "freeze=scratch"),
        (*RMSPROP, "freeze=head_only"),
        (*LARGE, "phases.unfrozen=null"),
        (*RMSPROP, "+optimizer@phases.unfrozen.optimizer=adam"),
    ],
)
def test_no_warning_where_rmsprop_does_no_harm(overrides: tuple[str, ...]) -> None:
    assert warnings(recipe(*overrides)) == ()


RANDOM = "backbone.weights=null"
ALL = ("phases.frozen=null", "freeze=everything")


@pytest.mark.parametrize(
    ("overrides", "why"),
    [
        ((RANDOM,), ["trains the head alone", "some blocks", "keeps BatchNorm"]),
        ((RANDOM, "backbone=efficientnet_b0", *ALL), ["keeps BatchNorm"]),
        ((RANDOM, *ALL[1:], "freeze.batch_norm=trained"), ["trains the head alone"]),
        ((RANDOM, ALL[0], "freeze=head_only", "backbone=vgg16"), ["some blocks"]),
        (("backbone=efficientnet_scaled", "backbone.width_coefficient=1.1",
          "backbone.depth_coefficient=1.2"), ["trains the head alone"]),
    ],
)  # fmt: skip
def test_a_random_network_of_which_a_part_stays_random(
    overrides: tuple[str, ...], why: list[str]
) -> None:
    (warning,) = warnings(recipe(*overrides))
    assert all(part in warning for part in why)
    assert "set freeze=scratch" in warning


@pytest.mark.parametrize(
    "overrides",
    [
        ("freeze=scratch",),
        (RANDOM, *ALL, "freeze.batch_norm=trained"),
        (RANDOM, *ALL, "backbone=vgg16"),
    ],
)
def test_a_random_network_that_trains_whole_is_fine(overrides: tuple[str, ...]) -> None:
    assert warnings(recipe(*overrides)) == ()


def test_a_momentum_that_is_no_number_is_for_others_to_refuse() -> None:
    assert warnings(recipe("optimizer=rmsprop", "optimizer.momentum=high")) == ()


def test_a_loss_scale_beside_one_that_is_found() -> None:
    scaled = ("+optimizer.loss_scale_factor=1024", "phases.frozen=null")
    (printed,) = warnings(recipe(*scaled, "precision=mixed_float16"))
    assert printed.startswith("loss_scale_factor of the optimizer of phases.unfrozen does nothing")
    assert warnings(recipe(*scaled)) == ()


def test_selection_on_the_test_set() -> None:
    (printed,) = warnings(recipe("validation=test"))
    assert printed.startswith("validation=test selects on the test set")


@pytest.mark.parametrize(
    ("side", "advice"), [(100, "set 96 or 104"), (33, "set 32 or 40"), (96, None), (224, None)]
)
def test_sizes_that_layers_pad(side: int, advice: str | None) -> None:
    found = warnings(recipe(f"image_size={side}"))
    assert [text.split("; ")[1] for text in found] == ([advice] if advice else [])


def test_the_size_that_a_network_was_trained_at_needs_no_advice() -> None:
    assert warnings(recipe("backbone=efficientnet_b3")) == ()


@pytest.mark.parametrize(
    ("parameters", "images", "warns"),
    [(18_000_000, 999, True), (18_000_000, 1000, False), (4_000_000, 10, False)],
)
def test_a_large_network_for_few_images(parameters: int, images: int, warns: bool) -> None:
    found = large_for(parameters, images, 10, "EfficientNetB4")
    assert (found is not None) == warns
    if found:
        assert found.startswith("EfficientNetB4 has 18 million weights for 100 images a class")


def test_batch_norm_of_pretrained_weights() -> None:
    (printed,) = warnings(recipe("freeze.batch_norm=trained"))
    assert printed.startswith("freeze.batch_norm=trained loses the pretrained")
    assert warnings(recipe("freeze=scratch")) == ()


def test_mirrored_characters() -> None:
    (printed,) = warnings(recipe("augment.flip=horizontal"))
    assert printed == "augment.flip=horizontal mirrors the characters of digits"
    tfds = ("augment.flip=horizontal", "dataset=tfds")
    assert warnings(recipe(*tfds, "dataset.name=emnist/letters:3.*.*")) != ()
    assert warnings(recipe(*tfds, "dataset.name=stanford_dogs")) == ()
