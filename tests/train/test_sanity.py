import math

import pytest

from sweeper.config import Sanity
from sweeper.train.sanity import LossCheck, Verdict

LIMITS = Sanity(initial_excess=2.0, first_epoch_excess=1.0)


def test_the_yardstick_is_the_loss_of_an_even_guess() -> None:
    assert LossCheck(LIMITS, 120).log_num_classes == pytest.approx(4.787, abs=1e-3)
    assert LossCheck(LIMITS, 2).log_num_classes == pytest.approx(math.log(2))


@pytest.mark.parametrize(
    ("loss", "verdict"),
    [
        (0.1, Verdict.OK),
        (math.log(10) + 0.99, Verdict.OK),
        (math.log(10) + 1.01, Verdict.HIGH),
        (math.nan, Verdict.NAN),
        (math.inf, Verdict.NAN),
    ],
)
def test_a_first_epoch_is_judged_by_its_distance(loss: float, verdict: Verdict) -> None:
    assert LossCheck(LIMITS, 10).first_epoch("frozen", loss).verdict is verdict


@pytest.mark.parametrize(
    ("before", "loss", "verdict"),
    [
        (5.0, 5.9, Verdict.OK),
        (5.0, 6.1, Verdict.HIGH),
        (1.0, math.log(10) + 0.9, Verdict.OK),
        (1.0, math.log(10) + 1.1, Verdict.HIGH),
        (math.nan, math.log(10) + 1.1, Verdict.HIGH),
        (5.0, math.nan, Verdict.NAN),
    ],
)
def test_a_head_that_begins_high_is_judged_by_whether_it_rises(
    before: float, loss: float, verdict: Verdict
) -> None:
    finding = LossCheck(LIMITS, 10).first_epoch("frozen", loss, before)
    assert finding.verdict is verdict
    if finding.verdict is Verdict.HIGH and before == 5.0:
        assert "is 1.1 above the loss before training 5, limit 1" in finding.reason


def test_the_untrained_head_has_a_limit_of_its_own() -> None:
    check = LossCheck(LIMITS, 10)
    assert check.initial(math.log(10) + 1.9).verdict is Verdict.OK
    assert check.initial(math.log(10) + 2.1).verdict is Verdict.HIGH


def test_later_epochs_are_only_asked_to_be_numbers() -> None:
    check = LossCheck(LIMITS, 10)
    assert check.any_epoch(7, 1e6).verdict is Verdict.OK
    assert check.any_epoch(7, math.nan).verdict is Verdict.NAN


@pytest.mark.parametrize(
    ("edge", "verdict"), [(12.0, Verdict.OK), (2.9, Verdict.STUCK), (-40.0, Verdict.STUCK)]
)
def test_a_phase_must_end_better_than_a_guess(edge: float, verdict: Verdict) -> None:
    metrics = {"val_loss": 2.302, "val_accuracy": 0.1}
    finding = LossCheck(LIMITS, 10).phase_end("frozen", edge, metrics)
    assert finding.verdict is verdict
    if verdict is Verdict.STUCK:
        assert "frozen phase ended no better than a guess: val_loss 2.302" in finding.reason


def test_the_reason_names_what_how_far_and_the_limit() -> None:
    finding = LossCheck(LIMITS, 10).first_epoch("unfrozen", 5.0)
    assert finding.reason == (
        "loss of the first unfrozen epoch 5 is 2.697 above ln(classes) 2.303, limit 1"
    )
