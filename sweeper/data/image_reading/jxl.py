"""Width and height of a JPEG XL picture from its header, which Pillow does not read.

The header is that of ISO/IEC 18181-1 (``SizeHeader``), alone or in the boxes of 18181-2.
"""

_START = b"\xff\x0a"
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
"""Width to height, by the number in the header less 1; 0 stands for a width of its own."""
_WIDTHS_OF_FIELDS = (9, 13, 18, 30)
_ENOUGH = 16
"""Bytes: more than the start and the longest header take."""


def size(encoded: bytes) -> tuple[int, int]:
    """Width and height in pixels, before the picture is turned upright.

    Raises:
        ValueError: there is no whole header.
    """
    codestream = encoded if encoded.startswith(_START) else _codestream(encoded)
    if not codestream.startswith(_START):
        raise ValueError("a damaged jxl image")
    bits = _Bits(codestream[len(_START) : _ENOUGH])
    small = bits.take(1) == 1
    height = bits.side(small)
    ratio = bits.take(3)
    if ratio == 0:
        return bits.side(small), height
    across, down = _RATIOS[ratio - 1]
    return height * across // down, height


def _codestream(encoded: bytes) -> bytes:
    """The first bytes of the picture itself, which may lie in several boxes."""
    found, at = b"", 0
    while at + 8 <= len(encoded) and len(found) < _ENOUGH:
        length, kind, begin = int.from_bytes(encoded[at : at + 4]), encoded[at + 4 : at + 8], at + 8
        if length == 1:
            length, begin = int.from_bytes(encoded[begin : begin + 8]), begin + 8
        # 0 stands for all that follows
        end = at + length if length else len(encoded)
        if end < begin:
            break
        if kind == b"jxlc":
            return encoded[begin : min(end, begin + _ENOUGH)]
        if kind == b"jxlp":  # a part, after its number
            found += encoded[begin + 4 : min(end, begin + 4 + _ENOUGH)]
        at = end
    return found


class _Bits:
    """Numbers of few bits, the lowest first."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "little")
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        if count > self._left:
            raise ValueError("a damaged jxl image")
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        self._left -= count
        return value

    def side(self, small: bool) -> int:
        if small:
            return 8 * (self.take(5) + 1)
        return self.take(_WIDTHS_OF_FIELDS[self.take(2)]) + 1
