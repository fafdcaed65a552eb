"""A checkpoint, an entry of the cache and a database with damage."""

from collections.abc import Callable
from pathlib import Path

import pytest
from faults.sweeps import DIGITS, TWENTY, counted, engine, shortened, sweeper
from search.controllers import check_finished, trials_of

from sweeper.report.reader import StudyReader

GROUP = "Damaged files"
Seen = Callable[[str], None]
STUDY = "experiments/digits_lite0"
ONE = (*DIGITS, "phases.frozen.epochs=8", "seed=1", "hydra.sweeper.sampler.seed=1")


def curve(folder: Path) -> list[float]:
    """Validation loss of the complete trial."""
    reader = StudyReader(folder / STUDY)
    (row,) = [row for row in reader.summary().rows if str(row.state) == "complete"]
    return [epoch.metrics["val_loss"] for epoch in reader.curves(row.number)]


@pytest.mark.faults(
    fault="a checkpoint cut to half its size, after the controller was killed",
    promised="the trial begins anew and ends as an undisturbed one",
)
def test_a_damaged_checkpoint(tmp_path: Path, seen: Seen) -> None:
    disturbed, undisturbed = tmp_path / "disturbed", tmp_path / "undisturbed"
    for folder in (disturbed, undisturbed):
        folder.mkdir()
    with sweeper(disturbed, *ONE) as sweep:
        sweep.await_line("epoch 3 of 8")
        sweep.kill()
    (checkpoint,) = (disturbed / STUDY).glob("trials/*/checkpoints/*.npz")
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(content[: len(content) // 2])
    for folder in (disturbed, undisturbed):
        with sweeper(folder, *ONE) as sweep:
            assert sweep.end() == 0, sweep.printed
    assert curve(disturbed) == curve(undisturbed)
    log = next((disturbed / STUDY).glob("trials/0001/logs/trial.log")).read_text()
    assert "resumes after epoch" not in log
    seen("1 of 1 finished, 1 tried again; its 8 epochs are bit for bit those of an undisturbed one")


@pytest.mark.faults(
    fault="a file of the cache cut to half its size, another with changed bytes",
    promised="the first is noticed where it is used and computed again; the second by `sweeper "
    "cache verify`",
)
def test_a_damaged_cache(tmp_path: Path, cache: Path, seen: Seen) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    with sweeper(first, *ONE) as sweep:
        assert sweep.end() == 0, sweep.printed
    files = [file for file in cache.rglob("files/*") if file.stat().st_size > 10_000]
    largest = max(files, key=lambda file: file.stat().st_size)
    content = largest.read_bytes()
    changed = bytearray(content)
    changed[len(changed) // 2] ^= 0xFF
    largest.write_bytes(changed)
    with sweeper(tmp_path, "cache", "verify") as verify:
        code = verify.end()
        assert code == 1, verify.printed
    largest.write_bytes(content[: len(content) // 2])
    with sweeper(second, *ONE) as sweep:
        assert sweep.end() == 0, sweep.printed
    assert curve(first) == curve(second)
    seen(f"`cache verify` ends with {code}; the next sweep computed it again, to the same bits")


@pytest.mark.faults(
    fault="the study's database (SQLite) with overwritten pages",
    promised="a sentence that names the file and what to do; exit code not 0; the file stays as it "
    "is, and a copy of it continues",
)
def test_a_damaged_database(tmp_path: Path, seen: Seen) -> None:
    with engine(tmp_path, *TWENTY) as sweep:
        sweep.await_line("complete after", times=3)
        sweep.kill()
    database = tmp_path / "studies.db"
    # as after a kill: what was written ahead belongs to it
    known = {file: file.read_bytes() for file in tmp_path.glob("studies.db*")}
    for file in known:
        file.unlink()
    content = bytearray(known[database])
    content[4096:] = b"\xa5" * (len(content) - 4096)
    database.write_bytes(content)
    with engine(tmp_path, *TWENTY) as sweep:
        code = sweep.end()
        said = sweep.last_line
    assert code in {1, 2}, said
    assert "studies.db" in said
    assert "this should not happen" not in sweep.printed
    for file, saved in known.items():
        file.write_bytes(saved)
    with engine(tmp_path, *TWENTY) as sweep:
        assert sweep.end() == 0, sweep.printed
    trials = trials_of(f"sqlite:///{database}", "mortal")
    check_finished(tmp_path, trials, 20)
    seen(f"exit code {code}, {shortened(said, tmp_path)}; with the copy {counted(trials, 20)}")
