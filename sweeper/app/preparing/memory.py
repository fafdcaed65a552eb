"""Memory that this process may use, and whether a batch of images can fit into it at all."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_BYTES_OF_PIXEL = 12 + 2 * 32
"""The least that a network needs for one pixel: three float32, and 32 channels of float32 at half
the side, as they are convolved and as they are normalized."""


def oversized(image_size: int, batch_size: int) -> str | None:
    """What to do about images that cannot fit; None where they may.

    It is a lower bound: networks need several times as much while they train.
    """
    needed, there = batch_size * image_size**2 * _BYTES_OF_PIXEL, machine_bytes()
    if there is None or needed <= there:
        return None
    return (
        f"image_size={image_size} with batch_size={batch_size} takes {_gb(needed)} at least for "
        f"one batch, and this machine has {_gb(there)}; lower image_size or batch_size"
    )


def machine_bytes() -> int | None:
    """Memory that this process may use; None where the system does not say."""
    if (known := memory()) is not None:
        return known.total
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


@dataclass(frozen=True)
class Memory:
    """Bytes that this process may use in all, and those of them that are free."""

    total: int
    free: int


def memory(root: Path = Path("/")) -> Memory | None:
    """Memory of the machine, or of a control group of this process that has less; Linux only."""
    meminfo = _fields(root / "proc/meminfo")
    if not {"MemTotal:", "MemAvailable:"} <= meminfo.keys():
        return None
    total, free = 1024 * meminfo["MemTotal:"], 1024 * meminfo["MemAvailable:"]
    for group in _control_groups(root):
        total = min(total, group.total)
        free = min(free, group.free)
    return Memory(total, free)


def _control_groups(root: Path) -> Iterator[Memory]:
    """Limits of those of version 2 and of version 1, of this process's own and of those above."""
    mounts = {"": ("", "memory.max", "memory.current")}
    mounts["memory"] = ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes")
    for controllers, path in _memberships(root / "proc/self/cgroup"):
        if controllers in mounts:
            below, limit, usage = mounts[controllers]
            top = root / "sys/fs/cgroup" / below
            own = top / path.lstrip("/")
            for group in (own, *own.parents):
                # the path in a container may be the host's, so some are not there
                with contextlib.suppress(OSError, ValueError):  # "max" is no limit
                    total = int((group / limit).read_text())
                    used = int((group / usage).read_text())
                    kept = _fields(group / "memory.stat").get("inactive_file", 0)
                    yield Memory(total, max(0, total - used + kept))
                if group == top:
                    break


def _memberships(file: Path) -> Iterator[tuple[str, str]]:
    with contextlib.suppress(OSError):
        for line in file.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            yield controllers, path


def _fields(file: Path) -> dict[str, int]:
    """Numbers by the first word of their line; none where there is no file."""
    with contextlib.suppress(OSError):
        lines = [line.split() for line in file.read_text().splitlines()]
        return {words[0]: int(words[1]) for words in lines if len(words) > 1}
    return {}


def _gb(count: int) -> str:
    return f"{count / 1e9:,.0f} GB"
