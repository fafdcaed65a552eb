"""Features of images that older entries have: the frozen layers need not see these again."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from sweeper.cache.key import Key
from sweeper.cache.shared_cache import Cache
from sweeper.data.examples import Hashes
from sweeper.data.row_reuse import RowFile, copy_rows
from sweeper.models.prefix import PrefixSummary
from sweeper.train.frozen.view_images import Missing
from sweeper.train.frozen.views import PASS, VALUES


@dataclass(frozen=True)
class Place:
    """An entry that is being built for one of several prefixes.

    Attributes:
        key: of the entry.
        folder: of its files.
        prefix: what is known of it.
    """

    key: Key
    folder: Path
    prefix: PrefixSummary


def missing(cache: Cache, places: Sequence[Place], hashes: Hashes) -> Missing:
    """Copy to the entries of ``places`` what older ones, of the same network and view, have.

    A row that one of them lacks is computed for all, in one pass.

    Args:
        cache: where these are.
        places: from the lowest prefix to the highest.
        hashes: ``[n]``, of the content of each image.

    Raises:
        OSError: the disk does not take it.
    """
    known = np.ones(len(hashes), np.bool_)
    rates: list[float] = []
    for place in places:
        rates = []  # of the highest: its pass would have made the others too
        with (place.folder / VALUES).open("wb") as output:
            rows = RowFile(VALUES, 2 * math.prod(place.prefix.shape))
            note = partial(_note, rates, place.prefix.size.flops)
            known &= copy_rows(cache, place.key, hashes, rows, output, note)
    mean = sum(rates) / len(rates) if rates else 0.0
    return Missing(np.flatnonzero(~known), hashes, int(known.sum()) * mean)


def _note(rates: list[float], flops: int, files: Path, _count: int, rows: int) -> None:
    """Add the seconds that an image took, by the share of these ``flops`` in those of its pass."""
    try:
        made = json.loads((files / PASS).read_text(encoding="ascii"))
        share = flops / made["flops"] if made["flops"] else 1.0
        rates.append(made["seconds"] * share / rows)
    except (OSError, ValueError, KeyError, TypeError):
        rates.append(0.0)  # a figure of the ledger, and no reason to compute again
