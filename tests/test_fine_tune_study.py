"""What a study of fine-tunes checks; the whole of it runs in test_cli.py."""

import pytest
from recipes import composed, recipe

from sweeper.study import FineTuneStudy, direction_faults


@pytest.mark.parametrize(
    ("objectives", "direction", "wanted"),
    [
        ("val_accuracy", "maximize", None),
        ("val_accuracy", "minimize", "maximize"),
        ("val_loss", "maximize", "minimize"),
        ("val_accuracy,parameters", ["maximize", "minimize"], None),
        ("val_accuracy,parameters", "maximize", "[maximize,minimize]"),
        ("val_accuracy,milliseconds_per_image", ["maximize"], "[maximize,minimize]"),
    ],
)
def test_the_direction_fits_what_a_trial_is_judged_by(
    objectives: str, direction: object, wanted: str | None
) -> None:
    faults = direction_faults([recipe(f"objectives=[{objectives}]")], direction)
    said = [f"hydra.sweeper.direction must be {wanted} for objectives=[{objectives}]"]
    assert [fault.split(", got")[0] for fault in faults] == (said if wanted else [])


def test_where_a_recipe_runs_is_no_part_of_its_fingerprint() -> None:
    one = FineTuneStudy().fingerprint(composed("executor.devices=cpu", "tracking.uri=elsewhere"))
    assert one == FineTuneStudy().fingerprint(composed())
    assert one != FineTuneStudy().fingerprint(composed("batch_size=16"))
