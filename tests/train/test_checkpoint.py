import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from recipes import recipe

from sweeper.train.fit.checkpoint import Checkpoint, Saved
from sweeper.train.fit.phase_state import Epoch, PhaseState
from sweeper.train.fit.stages import stage_keys

FROZEN = Epoch(0, "frozen", True, True, True, 4.5, {"loss": math.inf})
SAVED = Saved(
    phase="unfrozen",
    untrained=(2.5, 0.125),
    earlier=(FROZEN,),
    state=PhaseState(
        epochs=(Epoch(1, "unfrozen", True, False, True, 5.5, {"loss": 0.1}),),
        watched={"best": {"value": -math.inf, "waited": 2}},
        model=[np.float32([1.5, 2.5]), np.int64(3)],
        kept=[np.float32([[0.25]])],
        optimizer=[],
    ),
)


def same(one: Saved, other: Saved) -> None:
    assert (one.phase, one.untrained, one.earlier) == (other.phase, other.untrained, other.earlier)
    assert one.state.plain == other.state.plain
    for key in ("model", "kept", "optimizer"):
        for a, b in zip(getattr(one.state, key), getattr(other.state, key), strict=True):
            assert (a.dtype, a.shape) == (b.dtype, b.shape)
            np.testing.assert_array_equal(a, b)


def test_what_was_saved_last_is_loaded(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "checkpoints" / "trial.npz", stage_keys(recipe()))
    assert checkpoint.load() is None
    checkpoint.save(SAVED)
    loaded = Checkpoint(checkpoint.path, stage_keys(recipe())).load()
    assert loaded is not None
    same(loaded, SAVED)
    assert [path.name for path in checkpoint.path.parent.iterdir()] == ["trial.npz"]


def test_another_recipe_does_not_resume_from_it(tmp_path: Path) -> None:
    path = tmp_path / "trial.npz"
    Checkpoint(path, stage_keys(recipe())).save(SAVED)
    assert Checkpoint(path, stage_keys(recipe("seed=1"))).load() is None
    assert Checkpoint(path, stage_keys(recipe("optimizer.learning_rate=0.5"))).load() is None


def test_a_phase_is_resumed_whatever_comes_after_it(tmp_path: Path) -> None:
    path = tmp_path / "trial.npz"
    Checkpoint(path, stage_keys(recipe())).save(replace(SAVED, phase="frozen"))
    later = (
        "freeze.unfreeze_blocks=5",
        "phases.unfrozen.learning_rate=0.5",
        "drop_connect_rate=0.1",
    )
    assert Checkpoint(path, stage_keys(recipe(*later))).load() is not None
    assert Checkpoint(path, stage_keys(recipe("phases.frozen.epochs=9"))).load() is None


def test_another_study_or_other_images_do_not_resume_from_it(tmp_path: Path) -> None:
    path = tmp_path / "trial.npz"
    Checkpoint(path, stage_keys(recipe(), ("study", "images"))).save(SAVED)
    assert Checkpoint(path, stage_keys(recipe(), ("study", "images"))).load() is not None
    for origin in (("study", "more images"), ("another", "images"), ()):
        assert Checkpoint(path, stage_keys(recipe(), origin)).load() is None


def test_where_it_runs_and_what_it_is_called_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "trial.npz"
    Checkpoint(path, stage_keys(recipe())).save(SAVED)
    elsewhere = recipe("executor.devices=cpu", "tracking.uri=sqlite:///other.db", "name=other")
    assert Checkpoint(path, stage_keys(elsewhere)).load() is not None


@pytest.mark.parametrize("broken", [b"", b"PK\x03\x04 half", b"{}"])
def test_a_file_that_is_no_checkpoint_is_as_good_as_none(tmp_path: Path, broken: bytes) -> None:
    path = tmp_path / "trial.npz"
    path.write_bytes(broken)
    assert Checkpoint(path, stage_keys(recipe())).load() is None


def test_half_a_file_is_as_good_as_none(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "trial.npz", stage_keys(recipe()))
    checkpoint.save(SAVED)
    whole = checkpoint.path.read_bytes()
    for part in range(0, len(whole), 97):
        checkpoint.path.write_bytes(whole[:part])
        assert checkpoint.load() is None
