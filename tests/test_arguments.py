import contextlib
import shlex

import pytest

from sweeper.app.arguments import check_arguments, overrides_last
from sweeper.errors import ConfigError


def test_valid_arguments_pass() -> None:
    check_arguments(
        [
            "+experiment=digits_lite0",
            "-m",
            "backbone=mobilenet_v2,xception",
            "optimizer=choice(adam,sgd)",
            "freeze.unfreeze_blocks=range(1,4)",
            "optimizer.learning_rate=tag(log,interval(1e-4,1e-2))",
            "hydra.sweeper.n_trials=3",
            "hydra/sweeper/sampler=random",
            "++optimizer.beta_1=0.8",
            "~schedule",
        ]
    )


def test_every_typing_error_is_named_with_the_nearest_valid_name() -> None:
    with pytest.raises(ConfigError) as caught:
        check_arguments(
            [
                "+experiment=digit_lite0",
                "backbone=xceptoin,mobilenet_v2",
                "batch_sise=3",
                "phases.frozen.epoch=2",
                "seed=-4",
            ]
        )
    text = str(caught.value)
    assert "the recipe has 5 faults" in text
    for printed in (
        "experiment has no option 'digit_lite0'; did you mean 'digits_lite0'?",
        "backbone has no option 'xceptoin'; did you mean 'xception'?",
        "batch_sise is not a key of the recipe; did you mean 'batch_size'?",
        "phases.frozen.epoch is not a key of the recipe; did you mean 'epochs'?",
        "seed must be >= 0, got -4",
    ):
        assert printed in text


def test_unreadable_overrides_are_named() -> None:
    with pytest.raises(ConfigError, match=r"batch_size=\[1"):
        check_arguments(["batch_size=[1"])


def test_own_recipes_may_have_options_of_their_own() -> None:
    check_arguments(["--config-dir=mine", "+experiment=mine", "backbone=mine"])


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (
            ("-m", "--cfg", "job"),
            "--multirun \\(-m\\) and --cfg exclude each other: leave one out;",
        ),
        (("--multirun", "--info", "all"), "--info exclude each other: leave one out$"),
        (("--run", "-m"), "--run and --multirun"),
        (("--resolve",), "--resolve is for --cfg job"),
        (("-m", "--cfg", "job", "epochs=1"), "(?s)exclude each other.*epochs"),
    ],
)
def test_options_that_exclude_each_other_are_named(options: tuple[str, ...], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        check_arguments(["+experiment=digits_lite0", *options])


@pytest.mark.parametrize(
    "options", [("--cfg", "job", "--resolve"), ("-c", "all"), ("-i",), ("-m",)]
)
def test_options_of_hydra_pass(options: tuple[str, ...]) -> None:
    check_arguments(["+experiment=digits_lite0", *options])


def test_overrides_may_stand_on_both_sides_of_an_option() -> None:
    mixed = ["+experiment=x", "-m", "seed=1,2", "--cfg", "job", "~augment", "--config-dir=a"]
    assert overrides_last(mixed) == [
        "-m",
        "--cfg",
        "job",
        "--config-dir=a",
        "+experiment=x",
        "seed=1,2",
        "~augment",
    ]


@pytest.mark.parametrize(
    ("argument", "quoted"),
    [
        ("dataset.train_split=train[:10%]", "'dataset.train_split=\"train[:10%]\"'"),
        ("name=a=b", "'name=\"a=b\"'"),
        ("dataset.path=my photos (1)", "'dataset.path=\"my photos (1)\"'"),
    ],
)
def test_a_value_that_needs_quotes_is_shown_with_them(argument: str, quoted: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_arguments([argument])
    (fault,) = caught.value.faults
    assert fault.endswith(f"quote the value, and all of it for the shell: {quoted}")
    assert "hydra.cc" not in fault
    # as a shell hands it over, it can be read
    with contextlib.suppress(ConfigError):
        check_arguments(shlex.split(quoted))


def test_a_long_argument_is_shortened_visibly() -> None:
    with pytest.raises(ConfigError) as caught:
        check_arguments(["batch_size=" + "[" * 2000])
    (fault,) = caught.value.faults
    assert len(fault) < 1500
    assert "...'" in fault
