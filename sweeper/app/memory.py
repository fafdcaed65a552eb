"""Whether a batch of images can fit into memory at all, seen from two numbers of the recipe."""

import os

_BYTES_OF_PIXEL = 12 + 2 * 32
"""The least that a network needs for one pixel: three float32, and 32 channels of float32 at half
the side, as they are convolved and as they are normalized."""


def oversized(image_size: int, batch_size: int) -> str | None:
    """What to do about images that cannot fit; None where they may.

    It is a lower bound: networks need several times as much while they train.
    """
    needed, memory = batch_size * image_size**2 * _BYTES_OF_PIXEL, machine_bytes()
    if memory is None or needed <= memory:
        return None
    return (
        f"image_size={image_size} with batch_size={batch_size} takes {_gb(needed)} at least for "
        f"one batch, and this machine has {_gb(memory)}; lower image_size or batch_size"
    )


def machine_bytes() -> int | None:
    """Memory of this machine; None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def _gb(count: int) -> str:
    return f"{count / 1e9:,.0f} GB"
