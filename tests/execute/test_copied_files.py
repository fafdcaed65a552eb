"""Two folders stay the same, whatever is done in one of them."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeper.execute.on_ray import copied_files
from sweeper.execute.on_ray.copied_files import ChangedFiles, CopiedFiles, Gone, Piece

NAMES = ("metrics.jsonl", "logs/trial.log", "result.json", "plots/curves.png", ".hydra/a.yaml")

edits = st.one_of(
    st.tuples(st.just("append"), st.sampled_from(NAMES[:2]), st.binary(max_size=40)),
    st.tuples(st.just("write"), st.sampled_from(NAMES[2:]), st.binary(max_size=40)),
    st.tuples(st.just("remove"), st.sampled_from(NAMES[2:]), st.just(b"")),
    st.tuples(st.just("send"), st.just(""), st.just(b"")),
)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def edit(path: Path, kind: str, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "append":
        with path.open("ab") as file:
            file.write(data)
    elif kind == "write":
        aside = path.with_name(f".{path.name}.aside")
        aside.write_bytes(data)
        aside.replace(path)
    else:
        path.unlink(missing_ok=True)


@settings(max_examples=100, deadline=None)
@given(st.lists(edits, max_size=20), st.integers(1, 60))
def test_what_changes_in_one_folder_is_in_the_other(
    tmp_path_factory: pytest.TempPathFactory,
    changes: list[tuple[str, str, bytes]],
    size: int,
) -> None:
    here, there = (tmp_path_factory.mktemp(name) for name in ("here", "there"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(copied_files, "_PIECE", size)
        changed, copied = ChangedFiles(here, [here]), CopiedFiles(there)
        for kind, name, data in [*changes, ("send", "", b"")]:
            if kind == "send":
                for change in changed.changes():
                    copied.take(change)
                assert contents(there) == contents(here)
            else:
                edit(here / name, kind, data)


def test_only_what_is_new_is_sent(tmp_path: Path) -> None:
    log, kept = tmp_path / "trial.log", tmp_path / "model.keras"
    log.write_bytes(b"one\n")
    kept.write_bytes(b"large")
    changed = ChangedFiles(tmp_path, [tmp_path])
    changed.see()
    assert list(changed.changes()) == []
    with log.open("ab") as file:
        file.write(b"two\n")
    assert list(changed.changes()) == [Piece("trial.log", 4, b"two\n", last=True)]
    kept.unlink()
    assert list(changed.changes()) == [Gone("model.keras")]


def test_half_a_file_is_never_there(tmp_path: Path) -> None:
    copied = CopiedFiles(tmp_path)
    (tmp_path / "a.npz").write_bytes(b"old")
    copied.take(Piece("a.npz", 0, b"ne", last=False))
    assert (tmp_path / "a.npz").read_bytes() == b"old"
    copied.close()
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


@pytest.mark.parametrize("path", ["../a", "/etc/a", "a/../../b"])
def test_a_path_does_not_lead_out(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="outside"):
        CopiedFiles(tmp_path / "in").take(Piece(path, 0, b"", last=True))
    assert not list(tmp_path.iterdir())


def test_checkpoints_are_sent_seldom_and_not_at_the_end(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoints" / "trial.npz"
    checkpoint.parent.mkdir()
    changed = ChangedFiles(tmp_path, [tmp_path])
    checkpoint.write_bytes(b"1" * 1000)
    first = [change.path for change in changed.changes()]
    assert first == ["checkpoints/trial.npz"]
    changed._next_checkpoint += 1000  # as if it had taken long
    checkpoint.write_bytes(b"2" * 1000)
    assert list(changed.changes()) == []
    changed._next_checkpoint = 0
    assert list(changed.changes(final=True)) == []
    assert len(list(changed.changes())) == 1
