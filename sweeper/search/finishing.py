"""The end of a study, which one controller writes while the others wait."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from sweeper.disk.locks import held
from sweeper.search.stores.exclusive import Store

_FOR_EVER = -1
"""Seconds to wait for a lock, as filelock spells it."""


@contextlib.contextmanager
def finishing(store: Store, folder: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Within the block no other controller finishes the study that is kept in ``store``.

    A server's lock is lost where the server is restarted meanwhile, so that the study's ``folder``,
    which controllers share, has one too. Of a store that is not shared the folder is claimed
    already. Where a folder cannot be locked, ``say`` shows a person that it has no lock.
    """
    with store.finishing(), contextlib.ExitStack() as locks:
        if store.shared:
            try:
                locks.enter_context(held(folder, _FOR_EVER))
            except OSError as error:
                say(
                    f"warning: {folder} cannot be locked ({error}); should the storage server be "
                    "restarted right now, another controller may finish the study too"
                )
        yield
