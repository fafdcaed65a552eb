"""The end of a study: one controller after the other, whatever becomes of the server's lock."""

import threading
from pathlib import Path

from optuna.storages import InMemoryStorage
from patience import PATIENCE

from sweeper.search.finishing import finishing
from sweeper.search.stores.exclusive import Store


class Restarted(Store):
    """A shared store that has lost its locks."""

    shared = True


def test_the_folder_keeps_another_controller_out_where_the_server_does_not(tmp_path: Path) -> None:
    order: list[str] = []
    waits, said = threading.Event(), list[str]()

    def other() -> None:
        waits.set()
        with finishing(Restarted(InMemoryStorage()), tmp_path / "study", said.append):
            order.append("other")

    thread = threading.Thread(target=other)
    with finishing(Restarted(InMemoryStorage()), tmp_path / "study", said.append):
        thread.start()
        assert waits.wait(PATIENCE)
        thread.join(0.5)  # it would be done by then, were it let in
        order.append("this")
    thread.join(PATIENCE)
    assert (order, said) == (["this", "other"], [])


def test_a_folder_that_cannot_be_locked_is_named_and_the_study_ends(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder, said, done = tmp_path / "file" / "study", list[str](), False
    with finishing(Restarted(InMemoryStorage()), folder, said.append):
        done = True
    (text,) = said
    assert done
    assert text.startswith(f"warning: {folder} cannot be locked (")


def test_a_store_with_one_writer_takes_no_second_lock(tmp_path: Path) -> None:
    with finishing(Store(InMemoryStorage()), tmp_path / "study", str):
        assert not list(tmp_path.iterdir())
