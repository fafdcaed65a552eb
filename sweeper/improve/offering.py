"""Offers as a person sees them."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from sweeper.errors import MissingInput
from sweeper.improve.made import Gain
from sweeper.improve.members import team_of
from sweeper.improve.offer import KINDS, Offer, Offers
from sweeper.saved.reference import Found

Say = Callable[[str], None]


@dataclass(frozen=True)
class Offered:
    """A model that may be promoted, and whether it helps beyond chance."""

    found: Found
    helps: bool


def offered(found: Found, kind: str, say: Say) -> Offered | None:
    """Make the model of that kind, and say how it compares; None where there is none.

    Raises:
        MissingInput: ``found`` is not the winner of a study.
        SweeperError: the study has nothing to begin with.
    """
    offer = _offers(found).make(kind)
    if offer is None:
        say(_NOTHING[kind])
        return None
    _show(offer, say)
    name = f"the {kind} model of {_study(found)}"
    return Offered(replace(found, network=offer.network, name=name), offer.judged.comparison.wins)


def all_offered(found: Found, say: Say) -> None:
    """Make all kinds, one after the other; see :func:`offered`."""
    offers = _offers(found)
    for kind in KINDS:
        offer = offers.make(kind)
        if offer is None:
            say(_NOTHING[kind])
        else:
            _show(offer, say)
            if offer.judged.comparison.wins:
                say(f"  to use it: python -m sweeper promote {_study(found)} --{kind}")


_NOTHING = {
    "calibrated": "calibrated: there is nothing to calibrate",
    "ensemble": "ensemble: the winner alone is the best one of the trials whose weights are kept",
    "soup": "soup: no mean of the weights of trials with one network, freezing and head is as good "
    "as the winner on the images to choose by",
}


def _study(found: Found) -> str:
    assert found.study is not None
    return found.study.about.name


def _offers(found: Found) -> Offers:
    if found.study is None:
        raise MissingInput(f"only a study can be improved: name one, got {found.name}")
    team = team_of(found.study)
    if found.trial != team.winner.row.number:
        raise MissingInput("what is made of several trials has no --trial")
    return Offers(team, found.study.paths)


def _show(offer: Offer, say: Say) -> None:
    before, after = offer.milliseconds
    say(f"{offer.kind}: {offer.made.how}")
    say(f"  judged on the other half of validation: {_spelled(offer.judged)}")
    if offer.tested is not None:
        say(f"  on the test images:                     {_spelled(offer.tested)}")
    say(f"  an image takes {after:.2f} ms, with the winner {before:.2f} ms; file: {offer.network}")
    helps = "helps" if offer.judged.comparison.wins else "does not help"
    say(f"  it {helps} beyond chance: {offer.judged.comparison.spelled()}")


def _spelled(gain: Gain) -> str:
    figures = ("accuracy", "log_loss", "expected_calibration_error")
    return ", ".join(
        f"{name.replace('_', ' ')} {gain.before[name].value:.4f} -> {gain.after[name].value:.4f}"
        for name in figures
    )
