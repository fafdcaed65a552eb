"""What a fine-tune begins from, beside its recipe."""

import contextlib
import hashlib
import json

from sweeper.config import Recipe
from sweeper.data.examples import Examples
from sweeper.records import Owner
from sweeper.train.building import weights_version


def start_of(recipe: Recipe, owner: Owner, *sets: Examples) -> list[str]:
    """Study, weights, images and labels; a checkpoint of another start is of no use."""
    parts = [owner.study, json.dumps(weights_version(recipe))]
    for examples in sets:
        with contextlib.suppress(OSError):  # reading the image will report it
            parts.append(str(examples.fingerprint()))
        parts.append(hashlib.blake2b(examples.labels.tobytes(), digest_size=8).hexdigest())
    return parts
