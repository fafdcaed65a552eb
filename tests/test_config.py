import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from recipes import composed, recipe

from sweeper.config import Recipe
from sweeper.errors import ConfigError
from sweeper.paths import conf_dir
from sweeper.validation import RECIPE, flatten, parse


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
    filled = {
        "tfds": "dataset.name=cifar10",
        "folder": "dataset.path=photos",
        "csv": "dataset.path=photos.csv",
        "folder_xception": "dataset.path=photos",
        "from_block": "freeze.unfreeze_from=block6a",
    }
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
            "dataset.source must be one of digits, tfds, folder, csv, got 'digit'; "
            "did you mean 'digits'?",
        ),
        (
            "freeze.unfreeze_from=block6a",
            "freeze must set one of unfreeze_blocks, unfreeze_from, unfreeze_layers and the "
            "others to null, got unfreeze_blocks=3, unfreeze_from=block6a",
        ),
        (
            "freeze=scratch freeze.unfreeze_blocks=3",
            "freeze asks for unfreeze_blocks=3 from scratch, where blocks that stay frozen would",
        ),
        ("freeze.unfreeze_blocks=null", "freeze must set one of unfreeze_blocks, unfreeze_from"),
        (
            "phases.unfrozen.schedule={name:cosin,warmup_epochs:0}",
            "phases.unfrozen.schedule.name must be one of constant, cosine, table, plateau, got "
            "'cosin'; did you mean 'cosine'?",
        ),
        (
            "phases.unfrozen.schedule={name:cosine,warmup_epochs:0,final_fraction:2}",
            "phases.unfrozen.schedule.final_fraction must be <= 1.0, got 2",
        ),
        (
            "validation=kfold validation.folds=1",
            "validation.folds must be >= 2, got 1",
        ),
        (
            "loss.class_weight=balance",
            "loss.class_weight must be balanced, null, or a weight > 0 for each class name, got "
            "'balance'",
        ),
        ("+loss.class_weight={cat:0}", "loss.class_weight must be balanced, null, or a weight"),
        (
            "+backbone.width_coefficient=1.2",
            "backbone width_coefficient, depth_coefficient and phi",
        ),
        ("+backbone.phi=1", "backbone width_coefficient, depth_coefficient and phi are for"),
        ("head.l2=-1", "head.l2 must be"),
        (
            "schedule=cosine +schedule.steps=[[1,0.1]]",
            "schedule.steps is of another option than schedule=cosine; leave it out",
        ),
        (
            "+dataset.path=x",
            "dataset.path is of another option than dataset=digits; leave it out",
        ),
        (
            "schedule.warmup_epochs=6",
            "phases has frozen.epochs=5, fewer than the 6 warmup_epochs of its schedule",
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
    (printed,) = faults(*override.split())
    assert printed.startswith(fault)


def test_all_faults_come_in_one_message() -> None:
    printed = faults("batch_size=0", "seed=-1", "head.dropout=1.5", "dataset=folder", "+sed=1")
    assert len(printed) == 5


def test_stochastic_depth_is_refused_where_there_is_none() -> None:
    (printed,) = faults("backbone=xception", "drop_connect_rate=0.3")
    assert "Xception, which has no stochastic depth" in printed
    assert recipe("backbone=xception", "drop_connect_rate=0").drop_connect_rate == 0


def test_each_phase_may_have_a_schedule_of_its_own() -> None:
    made = recipe("schedule=cosine", "phases.unfrozen.schedule={name:constant,warmup_epochs:2}")
    assert made.phases.frozen is not None
    assert made.phases.unfrozen is not None
    assert made.phases.frozen.schedule is None  # the recipe's
    assert made.phases.unfrozen.schedule.name == "constant"


def test_a_phase_may_have_an_optimizer_of_its_own() -> None:
    made = recipe("+optimizer@phases.unfrozen.optimizer=rmsprop")
    assert made.phases.unfrozen is not None
    assert made.phases.unfrozen.optimizer is not None
    assert made.phases.unfrozen.optimizer.name == "RMSprop"
    (printed,) = faults("+optimizer@phases.frozen.optimizer=sgd", "optimizer.name=Adm")
    assert printed.startswith("optimizer.name must name an optimizer")


def test_classes_may_be_named_by_numbers() -> None:
    assert recipe("loss.class_weight={3: 2.0, b: 1}").loss.class_weight == {"3": 2.0, "b": 1.0}


def test_from_scratch_costs_as_many_epochs_and_takes_no_weights() -> None:
    transfer = ("backbone=efficientnet_b0", "phases.frozen.epochs=3", "phases.unfrozen.epochs=4")
    made = recipe(*transfer, "freeze=scratch", "phases.unfrozen.learning_rate=1e-5")
    assert made.backbone.weights is None
    assert made.phases.frozen is None
    assert made.phases.unfrozen is not None
    assert made.phases.unfrozen.epochs == 7
    assert made.phases.unfrozen.learning_rate == made.optimizer.learning_rate
    assert made.freeze.unfreeze_blocks == "all"
    assert made.freeze.batch_norm == "trained"
    assert made.optimizer.keywords["use_ema"] is True
    assert made.drop_connect_rate is None  # the published rate, which is not 0
    assert not recipe(*transfer, "freeze=scratch", "+optimizer.use_ema=false").optimizer.keywords[
        "use_ema"
    ]


@pytest.mark.parametrize("phase", ["frozen", "unfrozen"])
def test_from_scratch_without_one_of_the_phases(phase: str) -> None:
    made = recipe("freeze=scratch", f"phases.{phase}=null")
    assert made.phases.unfrozen is not None
    assert made.phases.unfrozen.epochs == 5


def test_from_scratch_finds_faults_like_any_other_recipe() -> None:
    printed = faults("freeze=scratch", "phases.frozen.epochs=0", "batch_size=0")
    assert [fault.split()[0] for fault in printed] == ["batch_size", "phases.frozen.epochs"]


def test_both_phases_cannot_be_skipped() -> None:
    (printed,) = faults("phases.frozen=null", "phases.unfrozen=null")
    assert printed == "phases are both null; keep at least one"
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
    (printed,) = faults("+optimizer.beta_1='${nowhere}'")
    assert printed.startswith("optimizer.beta_1: ")


def test_known_keys_are_the_recipes() -> None:
    for key in flatten(recipe().model_dump()):
        assert RECIPE.unknown(key) is None, key
    assert RECIPE.unknown("dataset.path") is None  # of another member of the union
    assert RECIPE.unknown("backbone.nmae") == (
        "backbone.nmae is not a key of the recipe; did you mean 'name'?"
    )
    assert RECIPE.unknown("seed.more") is not None
    assert RECIPE.unknown("loss.class_weight.cat") is None
    assert RECIPE.unknown("phases.unfrozen.optimizer.momentum") is None


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz_", min_size=1))
def test_no_other_top_level_key_is_known(key: str) -> None:
    assert (RECIPE.unknown(key) is None) == (key in Recipe.model_fields)


def test_flatten_joins_with_dots() -> None:
    assert flatten({"a": {"b": {"c": 1}, "d": {}}, "e": [1]}) == {"a.b.c": 1, "a.d": {}, "e": [1]}


@pytest.mark.parametrize(
    ("phi", "width", "depth", "side"),
    [(0, 1.0, 1.0, 224), (0.5, 1.049, 1.095, 240), (1, 1.1, 1.2, 258), (3, 1.331, 1.728, 341)],
)
def test_phi_scales_width_depth_and_resolution_together(
    phi: float, width: float, depth: float, side: int
) -> None:
    """B1 is phi 0.5 and B2 phi 1, but for the authors' rounding: 240 and 260 px."""
    made = recipe("backbone=efficientnet_scaled", "freeze=scratch", f"backbone.phi={phi}")
    found = (made.backbone.width_coefficient, made.backbone.depth_coefficient)
    assert found == pytest.approx((width, depth), abs=5e-4)
    assert made.image_size == side


def test_a_coefficient_beside_phi_wins() -> None:
    own = ("backbone.width_coefficient=0.5", "image_size=64", "backbone.phi=1")
    made = recipe("backbone=efficientnet_scaled", "freeze=scratch", *own)
    assert (made.backbone.width_coefficient, made.image_size) == (0.5, 64)
    assert made.backbone.depth_coefficient == 1.2


EXPERIMENTS = sorted(path.stem for path in (conf_dir() / "experiment").glob("*.yaml"))
NEEDED = {
    "from_block": "freeze.unfreeze_from=top",
    "csv": "dataset.path=x",
    "folder": "dataset.path=x",
}


ALWAYS = ("digits_lite0",)


@pytest.mark.more
@pytest.mark.slow
@pytest.mark.parametrize(
    "experiment",
    [
        name if name in ALWAYS else pytest.param(name, marks=pytest.mark.more)
        for name in EXPERIMENTS
    ],
)
def test_each_group_of_a_shipped_recipe_can_be_replaced(experiment: str) -> None:
    """What belongs to an option lies in the option, not in the body of a recipe."""
    for group in (path for path in conf_dir().iterdir() if path.is_dir()):
        if group.name in ("experiment", "hydra", "backbone"):
            continue
        options = sorted(path.stem for path in group.glob("*.yaml"))
        # optimizers differ from each other as little as kinds of augmentation do
        for option in options[:3] if group.name in ("optimizer", "augment") else options:
            needed = [NEEDED[option]] if option in NEEDED else []
            if experiment == "folder_xception" and group.name != "dataset":
                needed.append("dataset.path=x")
            if option == "tfds":
                needed.append("dataset.name=cifar10")
            made = recipe(f"+experiment={experiment}", f"{group.name}={option}", *needed)
            assert made.name == experiment
    for backbone in ("vgg16", "xception", "efficientnet_scaled"):
        if experiment != "folder_xception":
            recipe(f"+experiment={experiment}", f"backbone={backbone}")
