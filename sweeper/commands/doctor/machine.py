"""Memory, and the disks of the folders that sweeper writes to."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from sweeper.app.preparing.memory import Memory
from sweeper.commands.doctor.doctor_report import Line, State
from sweeper.disk.writable import unwritable

_GROUP = "memory and disks"
_LITTLE_MEMORY = 3e9
"""Bytes: a trial on a CPU takes 1 to 2 GB before it has an image."""
_LITTLE_DISK = 5e9
_NO_DISK = 2e8
"""Bytes: a database, the checkpoints of a trial or two."""


def of_memory(memory: Memory | None) -> Line:
    """The line of memory, from :func:`sweeper.app.preparing.memory.memory`."""
    if memory is None:
        return Line(_GROUP, "memory", "not known on this system")
    found = f"{gb(memory.free)} free of {gb(memory.total)}"
    if memory.free >= _LITTLE_MEMORY:
        return Line(_GROUP, "memory", found)
    advice = "end other programs, or lower batch_size, image_size and hydra.sweeper.n_jobs"
    return Line(_GROUP, "memory", found, State.WARNING, advice)


def of_folder(name: str, folder: Path, key: str) -> Line:
    """The line of a folder that sweeper writes to and that need not exist yet.

    Args:
        name: of the line.
        folder: where it would write.
        key: what to set to have another folder.
    """
    if reason := unwritable(folder):
        return Line(_GROUP, name, str(folder), State.BROKEN, f"{reason}, or set {key}")
    free = _free(folder)
    found = f"{folder}, {gb(free)} free"
    if free >= _LITTLE_DISK:
        return Line(_GROUP, name, found)
    state = State.BROKEN if free < _NO_DISK else State.WARNING
    return Line(_GROUP, name, found, state, f"free some of that disk, or set {key}")


def of_cache(folder: Path, kept: int, budget_gb: float) -> Iterator[Line]:
    """Lines of the cache, which may grow to ``budget_gb`` and holds ``kept`` bytes now."""
    line = of_folder("cache", folder, "XDG_CACHE_HOME=<folder>")
    yield line
    if line.state is State.BROKEN or not budget_gb:
        return
    room = kept + _free(folder)
    found = f"{gb(kept)} kept of {budget_gb:g} GB (cache.budget_gb)"
    if room >= budget_gb * 1e9:
        yield Line(_GROUP, "cache budget", found)
        return
    advice = f"the disk has room for {gb(room)}: set cache.budget_gb={room / 2e9:.1f}"
    yield Line(_GROUP, "cache budget", found, State.WARNING, advice)


def gb(count: float) -> str:
    """Bytes as a person reads them."""
    return f"{count / 1e9:,.1f} GB"


def _free(folder: Path) -> int:
    """Bytes that may be written below ``folder``, or where it would be made."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(there).free
