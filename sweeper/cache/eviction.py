"""Room for one more entry, made by letting go of those that were not used for longest."""

import shutil
from contextlib import ExitStack
from pathlib import Path

from rich.filesize import decimal

from sweeper.cache import folders
from sweeper.cache.disk import NotKept


def make_room(root: Path, size_bytes: int, budget_bytes: int, own: Path | None = None) -> None:
    """Remove entries until ``size_bytes`` more fit into the budget and on the disk.

    What a living process uses or builds stays. Where all that may go is not enough, nothing goes.
    ``own`` is the folder the room is for, where it is there already: it does not count, and lies on
    the disk already. Called within :func:`folders.change`.

    Raises:
        NotKept: there is no room.
        OSError: the disk does not let it be made.
    """
    folders.discard_leftovers(root)
    if size_bytes > budget_bytes:
        raise NotKept(
            f"it takes {decimal(size_bytes)} and the budget is {decimal(budget_bytes)}; "
            "raise the budget to keep it"
        )
    others = [*folders.whole_folders(root), *folders.folders_aside(root)]
    sizes = {folder: folders.reserved_bytes(folder) for folder in others if folder != own}
    total = sum(sizes.values())
    free = shutil.disk_usage(root).free
    missing = max(total + size_bytes - budget_bytes, 0 if own else size_bytes - free)
    with ExitStack() as held:
        going: list[Path] = []
        for folder in sorted(folders.whole_folders(root), key=folders.last_used):
            if missing <= 0:
                break
            if folders.take(folder, held):
                going.append(folder)
                missing -= sizes[folder]
        if missing > 0:
            raise NotKept(
                f"it takes {decimal(size_bytes)}; of the budget of {decimal(budget_bytes)} "
                f"{decimal(total)} are taken, {decimal(free)} of the disk of {root} are free, and "
                "what is in use stays; raise the budget, free the disk, or run fewer at a time"
            )
        for folder in going:
            folders.discard(folder)
