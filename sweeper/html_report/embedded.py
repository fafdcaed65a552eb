"""Image files inside the page."""

import base64
import io
from pathlib import Path

from sweeper.html_report.page_blocks import Picture

_LARGE = 60_000
"""Bytes of a PNG from which it is embedded as JPEG: some hundred pictures are in 6 MB."""
_QUALITY = 85


def as_picture(file: Path, words: str) -> Picture | None:
    """The picture in a PNG ``file``; None where it is not there."""
    try:
        content, kind = file.read_bytes(), "image/png"
    except FileNotFoundError:
        return None
    if len(content) > _LARGE:
        content, kind = _smaller(content), "image/jpeg"
    return Picture(f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}", words)


def _smaller(content: bytes) -> bytes:
    from PIL import Image

    made = io.BytesIO()
    Image.open(io.BytesIO(content)).convert("RGB").save(made, "JPEG", quality=_QUALITY)
    return made.getvalue()
