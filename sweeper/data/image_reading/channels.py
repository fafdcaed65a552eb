"""Images of any number of channels as three; the numbers are those of ``decoding.NUMBERS``."""

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

FLAT = 16
"""Of 255 levels. Values of 12 bits in a file of 16 bits take the lowest 16."""


def three_channels(pixels: Pixels) -> Pixels:
    """``[height, width, 3]`` from ``[height, width]`` or ``[height, width, 1, 3 or 4]``.

    As of a file with these channels.
    """
    if pixels.ndim == 2:
        pixels = pixels[..., np.newaxis]
    match pixels.shape[-1]:
        case 1:
            return np.repeat(pixels, 3, axis=-1)
        case 3:
            return pixels
        case 4:
            return without_alpha(pixels)
    raise ValueError(f"an image has 1, 3 or 4 channels, got {pixels.shape[-1]}")


def without_alpha(pixels: Pixels) -> Pixels:
    """Drop the alpha channel of ``[height, width, 4]``, unless it alone has the shape.

    Then the colour is laid on white, or on black where it is light itself.
    """
    colour, alpha = pixels[..., :3], pixels[..., 3:]
    if np.ptp(colour, axis=(0, 1)).max() >= FLAT or np.ptp(alpha) < FLAT:
        return np.ascontiguousarray(colour)
    share = alpha / 255
    ground = 0.0 if colour.mean() > 127 else 255.0
    return np.asarray(np.rint(colour * share + ground * (1 - share)).astype(np.uint8))
