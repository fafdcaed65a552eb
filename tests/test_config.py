import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from recipes import composed, recipe

from sweeper.config import Recipe
from sweeper.errors import ConfigError
from sweeper.paths import conf_dir
from sweeper.validation import flatten, parse, unknown_key


def faults(*overrides: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        recipe(*overrides)
    return caught.value.faults


def test_the_frame_composes_to_a_recipe() -> None:
    made = recipe()
    assert made.image_size == made.backbone.resolution == 224
    assert made.phases.frozen is not None
    assert made.phases.frozen.learning_rate == made.optimizer.learning_rate


@pytest.mark.parametrize(
    ("group", "option"),
    [(g.name, f.stem) for g in conf_dir().iterdir() if g.is_dir() for f in g.glob("*.yaml")],
)
def test_every_option_of_every_group_is_a_valid_recipe(group: str, option: str) -> None:
    filled = {"tfds": "dataset.name=cifar10", "folder": "dataset.path=photos"}
    plus = "+" if group == "experiment" else ""
    recipe(f"{plus}{group}={option}", *([filled[option]] if option in filled else []))


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("batch_size=0", "batch_size must be >= 1, got 0"),
        ("batch_size=abc", "batch_size must be a whole number, got 'abc' (str)"),
        ("batch_size=true", "batch_size must be a whole number, got True (bool)"),
        ("drop_connect_rate=1.5", "drop_connect_rate must be < 1.0, got 1.5"),
        ("phases.unfrozen.learning_rate=0", "phases.unfrozen.learning_rate must be > 0.0, got 0"),
        (
            "backbone.name=EfficentNetB0",
            "backbone.name must name a network, got 'EfficentNetB0'; "
            "did you mean 'EfficientNetB0'?",
        ),
        (
            "optimizer.name=adamw",
            "optimizer.name must name an optimizer of keras.optimizers, got 'adamw'; "
            "did you mean 'AdamW'?",
        ),
        ("+optimizer.momentum=0.9", "optimizer Adam takes no 'momentum'"),
        ("+batch_sise=3", "batch_sise is not a key of the recipe; did you mean 'batch_size'?"),
        (
            "+dataset.validaton_fraction=0.3",
            "dataset.validaton_fraction is not a key of the recipe; "
            "did you mean 'validation_fraction'?",
        ),
        ("~seed", "seed is missing; set seed=<value>"),
        (
            "executor.devices=[0,1.5]",
            "executor.devices must be auto, cpu or a list of CUDA devices, got [0, 1.5]",
        ),
        (
            "freeze.unfreeze_blocks=19",
            "freeze asks for unfreeze_blocks=19, but EfficientNetLite0 has 18 blocks; "
            "all unfreezes all of them",
        ),
        ("objectives=[]", "objectives must name at least 1, got []"),
        ("objectives=val_loss", "objectives must be a list, got 'val_loss'"),
        ("executor.trials_per_device=0", "executor.trials_per_device must be >= 1, got 0"),
        ("dataset=folder", "dataset.path is missing; set dataset.path=<value>"),
        (
            "freeze.unfreeze_blocks=top",
            "freeze.unfreeze_blocks must be a whole number >= 0 or 'all', got 'top'",
        ),
        (
            "dataset.source=digit",
            "dataset.source must be one of digits, tfds, folder, got 'digit'; "
            "did you mean 'digits'?",
        ),
        ("augment.flip=sideways", "augment.flip must be 'none', 'horizontal', 'vertical'"),
        (
            "phases.unfrozen.epochs=0",
            "phases.unfrozen.epochs must be >= 1, got 0; to skip the phase set "
            "phases.unfrozen=null",
        ),
        ("precision=float8", "precision must be 'float32', 'mixed_bfloat16' or 'mixed_float16'"),
        ("name=a/b", "name may hold letters, digits"),
    ],
)
def test_a_fault_says_where_what_and_what_to_do(override: str, fault: str) -> None:
    (said,) = faults(override)
    assert said.startswith(fault)


def test_all_faults_come_in_one_message() -> None:
    said = faults("batch_size=0", "seed=-1", "head.dropout=1.5", "dataset=folder", "+sed=1")
    assert len(said) == 5


def test_stochastic_depth_is_refused_where_there_is_none() -> None:
    (said,) = faults("backbone=xception", "drop_connect_rate=0.3")
    assert "Xception, which has no stochastic depth" in said
    assert recipe("backbone=xception", "drop_connect_rate=0").drop_connect_rate == 0


def test_both_phases_cannot_be_skipped() -> None:
    (said,) = faults("phases.frozen=null", "phases.unfrozen=null")
    assert said == "phases are both null; keep at least one"
    assert recipe("phases.frozen=null").phases.frozen is None


def test_an_optimizer_takes_the_keywords_of_its_keras_class() -> None:
    made = recipe("optimizer=sgd", "optimizer.momentum=0.5", "+optimizer.clipnorm=1.0")
    assert made.optimizer.keywords == {"momentum": 0.5, "nesterov": True, "clipnorm": 1.0}


def test_a_recipe_is_frozen() -> None:
    with pytest.raises(ValidationError):
        recipe().batch_size = 3  # type: ignore[misc]


def test_tracking_uri_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert recipe().tracking.uri == "sqlite:///mlruns/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert recipe().tracking.uri == "http://127.0.0.1:5000"
    assert recipe("tracking.uri=sqlite:///x.db").tracking.uri == "sqlite:///x.db"


def test_a_broken_interpolation_is_a_fault_beside_others() -> None:
    config = composed("batch_size=0", "image_size='${nowhere}'")
    with pytest.raises(ConfigError) as caught:
        parse(config)
    assert [re.split(r"[ :]", fault)[0] for fault in caught.value.faults] == [
        "image_size",
        "batch_size",
    ]


def test_a_broken_keyword_of_the_optimizer_is_a_fault_too() -> None:
    (said,) = faults("+optimizer.beta_1='${nowhere}'")
    assert said.startswith("optimizer.beta_1: ")


def test_known_keys_are_the_recipes() -> None:
    for key in flatten(recipe().model_dump()):
        assert unknown_key(key) is None, key
    assert unknown_key("dataset.path") is None  # of another member of the union
    assert unknown_key("backbone.nmae") == (
        "backbone.nmae is not a key of the recipe; did you mean 'name'?"
    )
    assert unknown_key("seed.more") is not None


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz_", min_size=1))
def test_no_other_top_level_key_is_known(key: str) -> None:
    assert (unknown_key(key) is None) == (key in Recipe.model_fields)


def test_flatten_joins_with_dots() -> None:
    assert flatten({"a": {"b": {"c": 1}, "d": {}}, "e": [1]}) == {"a.b.c": 1, "a.d": {}, "e": [1]}
