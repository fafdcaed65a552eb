"""Memory of the machine, and of the control groups that a process may be in."""

from pathlib import Path

import pytest

from sweeper.app.preparing.memory import Memory, machine_bytes, memory

GB = 10**9
MEMINFO = f"MemTotal: {16 * GB // 1024} kB\nMemFree: 1 kB\nMemAvailable: {8 * GB // 1024} kB\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "meminfo").write_text(MEMINFO)
    return tmp_path


def group(root: Path, path: str, **files: str) -> None:
    folder = root / "sys/fs/cgroup" / path
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"memory.{name}").write_text(text)


def test_of_this_machine() -> None:
    found = memory()
    assert found is not None
    assert 0 < found.free < found.total == machine_bytes()


def test_without_groups_it_is_the_machines(root: Path) -> None:
    assert memory(root) == Memory(16 * GB, 8 * GB)
    assert memory(root / "nowhere") is None


def test_the_smallest_group_of_version_2_limits(root: Path) -> None:
    (root / "proc/self/cgroup").write_text("0::/above/own\n")
    group(root, "above/own", max="max\n", current="5\n")
    assert memory(root) == Memory(16 * GB, 8 * GB)
    group(root, "above", max=f"{4 * GB}\n", current=f"{3 * GB}\n", stat=f"inactive_file {GB}\n")
    assert memory(root) == Memory(4 * GB, 2 * GB)


def test_a_group_of_version_1_whose_path_is_the_hosts(root: Path) -> None:
    (root / "proc/self/cgroup").write_text("3:cpu:/\n4:memory:/docker/1234\n0::/\n")
    group(root, "memory", limit_in_bytes=f"{2 * GB}\n", usage_in_bytes=f"{GB}\n")
    assert memory(root) == Memory(2 * GB, GB)
