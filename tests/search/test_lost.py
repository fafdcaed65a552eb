"""Files of a study that are deleted or moved while it runs end the sweep, and are named."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from patience import PATIENCE
from search.controllers import await_line, controller, load, sweep

from sweeper.disk.watched_files import WatchedFiles

STUDY = ("x=interval(0,1)", "hydra.sweeper.n_trials=400")


def delete(path: Path) -> None:
    if path.is_file():
        path.unlink()
        return
    # at once, since what writes there makes and removes files meanwhile
    gone = path.rename(path.with_name("gone"))
    shutil.rmtree(gone, ignore_errors=True)


def move(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))


def replace(path: Path) -> None:
    """By another of equal content."""
    move(path)
    elsewhere, copy = path.with_name("elsewhere"), path.with_name("copy")
    if elsewhere.is_dir():
        # a lock comes and goes while it is copied
        shutil.copytree(elsewhere, copy, ignore=shutil.ignore_patterns("*.lock"))
    else:
        shutil.copy2(elsewhere, copy)
    copy.rename(path)  # at once, since a sweep that ends removes a folder that is empty


CHANGES = [delete, move, replace]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_change_of_a_file_or_folder_is_noticed(
    change: Callable[[Path], None], kind: str, tmp_path: Path
) -> None:
    path, other = tmp_path / "one", tmp_path / "other"
    other.touch()
    path.touch() if kind == "file" else path.mkdir()
    kept = WatchedFiles([other, path])
    assert kept.lost() is None
    other.write_text("more")
    (path / "inside").touch() if kind == "folder" else path.write_text("more")
    assert kept.lost() is None
    change(path)
    assert kept.lost() == path


@pytest.mark.more
@pytest.mark.slow
@pytest.mark.parametrize("storage", ["sqlite", pytest.param("journal", marks=pytest.mark.more)])
@pytest.mark.parametrize("change", CHANGES)
def test_a_sweep_without_its_store_ends_with_a_message(
    change: Callable[[Path], None], storage: str, tmp_path: Path
) -> None:
    file = tmp_path / "kept" / f"studies.{storage}"
    with controller(tmp_path, *STUDY, f"hydra.sweeper.storage={storage}:///{file}") as process:
        await_line(process, " complete after ")
        change(file.parent)
        ended, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert f"{file} was deleted, moved or replaced while the sweep ran" in ended
    assert "Traceback" not in ended


@pytest.mark.slow
def test_a_store_that_is_deleted_before_the_first_trial_is_noticed_too(tmp_path: Path) -> None:
    file = tmp_path / "studies.db"
    with controller(tmp_path, *STUDY) as process:
        await_line(process, "results   ")  # of the plan
        delete(file)
        ended, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert f"{file.name} was deleted, moved or replaced while the sweep ran" in ended
    assert "Traceback" not in ended


def test_what_is_not_there_at_first_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "one"
    kept = WatchedFiles()
    kept.add(path)
    assert kept.lost() == path
    path.touch()
    assert kept.lost() == path
    kept.add(path)
    assert kept.lost() is None


@pytest.mark.slow
@pytest.mark.more
def test_a_study_that_is_put_back_continues(tmp_path: Path) -> None:
    few = (*STUDY[:1], "hydra.sweeper.n_trials=6", "pause=0.2")
    folder = tmp_path / "out"
    with controller(tmp_path, *few) as process:
        await_line(process, " complete after ")
        move(folder)
        ended, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert f"{folder} was deleted, moved or replaced" in ended
    shutil.rmtree(folder, ignore_errors=True)
    folder.with_name("elsewhere").rename(folder)
    code, shown = sweep(tmp_path, *few)
    assert code == 0, shown
    complete = [trial for trial in load(tmp_path).trials if trial.state.name == "COMPLETE"]
    assert len(complete) == 6
