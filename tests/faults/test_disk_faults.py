"""Disks that are full at the wrong moment, and places that may not be written."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from disks import OwnDisk
from faults.sweeps import DIGITS, TWENTY, Sweep, counted, running, shortened, sweeper
from mlflow_servers import mlflow_server
from search.controllers import APP, check_finished, trials_of

from sweeper.report.reader import StudyReader

GROUP = "Disks"
Seen = Callable[[str], None]
STUDY = "experiments/digits_lite0"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "disk"
    made.mkdir()
    return made


@contextmanager
def disk(folder: Path, size: str) -> Iterator[OwnDisk]:
    try:
        made = OwnDisk(folder, size)
    except OSError as error:
        pytest.skip(str(error))
    try:
        yield made
    finally:
        made.close()


@contextmanager
def fine_tunes(disk: OwnDisk, *words: str, cache: Path | None = None) -> Iterator[Sweep]:
    command = disk.command(sys.executable, "-m", "sweeper", *DIGITS, *words)
    environment = {"XDG_CACHE_HOME": str(cache)} if cache else {}
    with running(Sweep(command, disk.folder.parent, environment)) as sweep:
        yield sweep


def states(disk: OwnDisk) -> list[str]:
    return [str(row.state) for row in StudyReader(disk.inside / STUDY).summary().rows]


def continued(disk: OwnDisk, tmp_path: Path, seen: Seen, when: str, *words: str) -> None:
    """Fill the disk ``when`` a line says so; see the end, and that the same command continues."""
    with fine_tunes(disk, *words) as sweep:
        sweep.await_line(when)
        disk.fill()
        code = sweep.end()
        assert code == 1, sweep.printed
        assert "this should not happen" not in sweep.printed
        assert "No space left" in sweep.printed or "is full" in sweep.printed
        said = [
            line
            for line in sweep.printed.splitlines()
            if "No space left" in line or "is full" in line
        ][-1]
    disk.free()
    with fine_tunes(disk, *words) as sweep:
        assert sweep.end() == 0, sweep.printed
    assert states(disk).count("complete") == 1
    seen(f"exit code {code}, {shortened(said, tmp_path)}; then 1 of 1 finished, exit code 0")


@pytest.mark.faults(
    fault="disk of the study's folder full after an epoch, when checkpoint and curves are written",
    promised="the sweep ends with a sentence, the trial does not count, the same command continues",
)
def test_full_at_a_checkpoint(tmp_path: Path, folder: Path, seen: Seen) -> None:
    with disk(folder, "200m") as own:
        elsewhere = f"hydra.sweeper.storage=sqlite:///{tmp_path}/studies.db"
        continued(own, tmp_path, seen, "epoch 1 of 9", "phases.frozen.epochs=9", elsewhere)


@pytest.mark.faults(
    fault="disk full when the report and the winner are written",
    promised="finished trials stay; the same command writes what is missing",
)
def test_full_at_the_report(tmp_path: Path, folder: Path, seen: Seen) -> None:
    with disk(folder, "200m") as own:
        continued(own, tmp_path, seen, "trial 0 complete")


@pytest.mark.faults(
    fault="disk of the cache too small for an entry",
    promised="nothing is kept, and the sweep runs as without a cache",
)
def test_full_at_the_cache(tmp_path: Path, folder: Path, seen: Seen) -> None:
    with disk(folder, "256k") as own:
        command = own.command(sys.executable, "-m", "sweeper", *DIGITS, start=tmp_path)
        with running(Sweep(command, tmp_path, {"XDG_CACHE_HOME": str(folder)})) as sweep:
            assert sweep.end() == 0, sweep.printed
        kept = list((own.inside / "sweeper" / "cache").glob("*-*"))
    rows = StudyReader(tmp_path / STUDY).summary().rows
    assert [str(row.state) for row in rows] == ["complete"]
    assert not kept
    seen("1 of 1 finished, no entry in the cache, exit code 0")


@pytest.mark.faults(
    fault="disk of MLflow's artifacts full",
    promised="trials finish; what MLflow lacks is named and stays in the study's folder, `sync` "
    "delivers it",
)
def test_full_at_the_artifacts(tmp_path: Path, folder: Path, seen: Seen) -> None:
    (tmp_path / "server").mkdir()
    with (
        disk(folder, "64m") as own,
        mlflow_server(tmp_path / "server", artifacts=str(own.inside / "artifacts")) as server,
    ):
        with sweeper(tmp_path, *DIGITS, f"tracking.uri={server.url}") as sweep:
            sweep.await_line("epoch 1 of 2")
            own.fill()
            assert sweep.end() == 0, sweep.printed
            lacks = sweep.await_line("MLflow lacks")
        own.free()
        with sweeper(tmp_path, "sync") as sync:
            assert sync.end() == 0, sync.printed
            said = sync.last_line
    assert said == "MLflow has all that was recorded"
    seen(f"1 of 1 finished, exit code 0, {shortened(lacks, tmp_path)}; then `sync`: `{said}`")


@pytest.mark.faults(
    fault="disk full when the study's database (SQLite) is written",
    promised="the sweep ends with a sentence, the same command continues",
)
def test_full_at_the_database(tmp_path: Path, folder: Path, seen: Seen) -> None:
    url = f"sqlite:///{folder}/studies.db"
    with disk(folder, "2m") as own:
        app = (sys.executable, str(APP), "-m", *TWENTY, f"hydra.sweeper.storage={url}")
        command = own.command(*app, start=tmp_path)
        with running(Sweep(command, tmp_path)) as sweep:
            sweep.await_line("step 2")
            own.fill()
            code = sweep.end()
            assert code == 1, sweep.printed
            said = sweep.await_line("free some space on that disk, then run the same command again")
            assert "[SQL" not in sweep.printed
        own.free()
        with running(Sweep(command, tmp_path)) as sweep:
            assert sweep.end() == 0, sweep.printed
        # SQLite would take the path into the other name space for one of this
        copy = shutil.copy(own.inside / "studies.db", tmp_path)
    trials = trials_of(f"sqlite:///{copy}", "mortal")
    check_finished(tmp_path, trials, 20)
    seen(f"exit code {code}, {shortened(said, tmp_path)}; then {counted(trials, 20)}")


@pytest.mark.faults(
    fault="the study's folder may only be read",
    promised="refused before anything runs, naming folder and key; exit code 2",
)
def test_a_folder_for_reading_only(tmp_path: Path, folder: Path, seen: Seen) -> None:
    with disk(folder, "4m") as own:
        mount = own.command("mount", "-o", "remount,ro", str(folder))
        assert os.spawnvp(os.P_WAIT, mount[0], mount) == 0
        words = (*DIGITS, f"hydra.sweep.dir={folder}/study")
        command = own.command(sys.executable, "-m", "sweeper", *words, start=tmp_path)
        with running(Sweep(command, tmp_path)) as sweep:
            code = sweep.end()
            assert code == 2, sweep.printed
            said = sweep.await_line("hydra.sweep.dir")
    seen(f"exit code {code}, {shortened(said, tmp_path)}")


@pytest.mark.faults(
    fault="the cache's folder may only be read",
    promised="the sweep runs as without a cache",
)
def test_a_cache_for_reading_only(tmp_path: Path, folder: Path, seen: Seen) -> None:
    with disk(folder, "4m") as own:
        mount = own.command("mount", "-o", "remount,ro", str(folder))
        assert os.spawnvp(os.P_WAIT, mount[0], mount) == 0
        command = own.command(sys.executable, "-m", "sweeper", *DIGITS, start=tmp_path)
        with running(Sweep(command, tmp_path, {"XDG_CACHE_HOME": str(folder)})) as sweep:
            assert sweep.end() == 0, sweep.printed
    rows = StudyReader(tmp_path / STUDY).summary().rows
    assert [str(row.state) for row in rows] == ["complete"]
    seen("1 of 1 finished, exit code 0")
