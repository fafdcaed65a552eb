"""Which files are images: by suffix where that says enough, else by their first bytes."""

import re
from pathlib import Path

READABLE = frozenset(
    (
        *(".apng", ".avif", ".avifs", ".bmp", ".dib", ".gif", ".ico", ".j2c", ".j2k"),
        *(".jfif", ".jif", ".jp2", ".jpc", ".jpe", ".jpeg", ".jpf", ".jpg", ".jpx", ".jxl"),
        *(".pbm", ".pcx", ".pgm", ".pjp", ".pjpeg", ".png", ".pnm", ".ppm", ".qoi", ".tga"),
        *(".tif", ".tiff", ".webp"),
    )
)
"""Suffixes of images that TensorFlow 2.21 or Pillow 13 decodes."""

HEIF = frozenset({".heic", ".heics", ".heif", ".heifs", ".hif"})
"""Read through pillow-heif, where it is installed."""

UNREADABLE = frozenset(
    (
        *(".3fr", ".ai", ".arw", ".bay", ".cap", ".cr2", ".cr3", ".crw", ".dcm", ".dcr"),
        *(".dicom", ".djvu", ".dng", ".emf", ".eps", ".erf", ".exr", ".fff", ".fits", ".gpr"),
        *(".hdr", ".iiq", ".jxr", ".kdc", ".mef", ".mos", ".mrw", ".nef", ".nii", ".nrw"),
        *(".orf", ".pdf", ".pef", ".pfm", ".ps", ".psb", ".psd", ".raf", ".raw", ".rw2"),
        *(".rwl", ".sr2", ".srf", ".srw", ".svg", ".svgz", ".wmf", ".x3f", ".xcf"),
    )
)
"""Images that nothing here decodes (camera raw, medical, vector); leaving them out would shrink the
data set. Pillow opens camera raw files as TIFF, and shows their thumbnail."""

HEAD = 32
"""Bytes that tell one kind of image from another."""

INSTALL_HEIF = "install pillow-heif (pip install pillow-heif), or convert"

_HEIF_BRANDS = rb"hei[cmsx]|hev[cmsx]|mif1|msf1|mif2"
_KINDS = (
    ("jpeg", rb"\xff\xd8\xff"),
    ("png", rb"\x89PNG\r\n\x1a\n"),
    ("gif", rb"GIF8[79]a"),
    ("webp", rb"RIFF....WEBP"),
    ("bmp", rb"BM.{8}....[\x0c\x28\x34\x38\x40\x6c\x7c]\x00\x00\x00"),
    ("tiff", rb"II\*\x00|MM\x00\*|II\+\x00|MM\x00\+"),
    ("avif", rb"....ftypavi[fs]"),
    ("heif", rb"....ftyp(?:%b)" % _HEIF_BRANDS),
    ("jxl", rb"\xff\x0a|\x00\x00\x00\x0cJXL \r\n\x87\n"),
    ("jpeg2000", rb"\x00\x00\x00\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51"),
    ("ppm", rb"P[1-6]\s+[0-9#]"),
    ("qoi", rb"qoif"),
    ("ico", rb"\x00\x00\x01\x00[^\x00]\x00"),
)


def kind_of(head: bytes) -> str | None:
    """``jpeg``, ``png`` and so on by the first :data:`HEAD` bytes; None where it is no image."""
    for kind, start in _KINDS:
        if re.match(start, head, re.DOTALL):
            # AVIF files may begin with the general brand of HEIF
            return "avif" if kind == "heif" and b"avif" in head else kind
    return None


def kind_of_file(path: Path) -> str | None:
    """As :func:`kind_of`; None also where the file cannot be read."""
    try:
        with path.open("rb") as file:
            return kind_of(file.read(HEAD))
    except OSError:
        return None


def reads_heif() -> bool:
    """Whether pillow-heif is installed."""
    from importlib.util import find_spec

    return find_spec("pillow_heif") is not None
