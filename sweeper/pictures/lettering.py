"""Names as pictures show them: readable, broken at words, in letters that some font has.

Class names are often those of folders: ``n02085620-Chihuahua``, ``Corn_(maize)___healthy``. They
may be in any script. A name with letters that no installed font has keeps those that there are, and
the number of its class says which one it is.
"""

import re
import textwrap
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import groupby
from pathlib import Path

_SYNSET = re.compile(r"n\d{8}[-_ ]+(?=\S)")
"""Number of a meaning in WordNet, by which ImageNet and Stanford Dogs begin names of classes."""
_MISSING = "□"
_BETWEEN = "…"


def readable(class_names: Sequence[str]) -> list[str]:
    """``class_names`` as :func:`worded`, in letters that can be drawn here."""
    return [_with_glyphs(name, number) for number, name in enumerate(worded(class_names))]


def worded(class_names: Sequence[str]) -> list[str]:
    """``class_names`` as words; names that would be the same then stay as they are.

    >>> worded(["n02085620-Chihuahua", "toy_terrier"])
    ['Chihuahua', 'toy terrier']
    """
    words = [_words(name) for name in class_names]
    times = Counter(words)
    plain = [_one_line(name) for name in class_names]
    return [
        word if word and times[word] == 1 else name for word, name in zip(words, plain, strict=True)
    ]


def undrawable(class_names: Sequence[str]) -> list[str]:
    """Those of ``class_names`` with letters that no font of this machine has."""
    return [name for name in class_names if drawable(name) != unicodedata.normalize("NFC", name)]


def shorten(name: str, limit: int) -> str:
    """``name`` in ``limit`` characters; a long one loses words of its middle, or letters.

    Both ends stay, since classes share beginnings or ends.
    """
    line = _one_line(name)
    if len(line) <= limit:
        return line
    words = line.split()
    best = ""
    for head in range(1, len(words)):
        for tail in range(1, len(words) - head + 1):
            short = " ".join([*words[:head], _BETWEEN, *words[-tail:]])
            fits = len(short) <= limit and head + tail < len(words)
            if fits and (len(short), head) > (len(best), 0):
                best = short
    if best:
        return best
    head = (limit - 1) // 2
    return f"{line[:head]}{_BETWEEN}{line[head + 1 - limit :]}"


def wrap(name: str, width: int) -> str:
    """``name`` on two lines of ``width`` characters at the most, three where words are long.

    Letters of East Asia take the place of two characters.
    """
    if any(unicodedata.east_asian_width(letter) in "WF" for letter in name):
        width //= 2
    return "\n".join(textwrap.wrap(shorten(name, 2 * width), width, break_on_hyphens=False))


def drawable(text: str) -> str:
    """``text`` with letters that no font has replaced."""
    return _letters(unicodedata.normalize("NFC", text))


def families(text: str) -> list[str]:
    """Names of the fonts that have the letters of ``text`` between them, matplotlib's own first."""
    own, other = _own().family, _with(_foreign(text)).family
    return [own] if other == own else [own, other]


def runs(text: str) -> list[tuple[Path, str]]:
    """``text`` in pieces, each with the font that has its letters."""
    own, other = _own(), _with(_foreign(text))

    def file_of(letter: str) -> Path:
        return own.file if ord(letter) in own.letters or letter.isspace() else other.file

    return [(file, "".join(letters)) for file, letters in groupby(text, key=file_of)]


def _words(name: str) -> str:
    return _one_line(_SYNSET.sub("", _one_line(name), count=1).replace("_", " "))


def _one_line(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).split())


def _with_glyphs(name: str, number: int) -> str:
    shown = _letters(name)
    if shown == name:
        return name
    return f"{shown} (class {number})" if shown.strip(f"{_MISSING} ") else f"class {number}"


@cache
def _letters(text: str) -> str:
    """``text`` if our own font and one other have all of it, else what our own has of it."""
    foreign = _foreign(text)
    if foreign <= _with(foreign).letters:
        return text
    return "".join(_MISSING if ord(letter) in foreign else letter for letter in text)


@cache
def _with(letters: frozenset[int]) -> "_Font":
    """The first font that has all of ``letters``, our own where none has."""
    return next((font for font in _fonts() if letters <= font.letters), _own())


def _foreign(text: str) -> frozenset[int]:
    """Letters that our own font lacks."""
    return _codes(text) - _own().letters


def _codes(text: str) -> frozenset[int]:
    return frozenset(ord(letter) for letter in text if not letter.isspace())


@dataclass(frozen=True, eq=False)
class _Font:
    file: Path
    family: str

    @cached_property
    def letters(self) -> frozenset[int]:
        """Codes of the letters that it has; none where it is gone or cannot be scaled."""
        from matplotlib.ft2font import FT2Font

        try:
            font = FT2Font(str(self.file))
            return frozenset(font.get_charmap()) if font.scalable else frozenset()
        except (OSError, RuntimeError):
            return frozenset()


def own_font() -> Path:
    """DejaVu Sans, which has Latin, Greek, Cyrillic, Arabic letters and more."""
    from matplotlib import get_data_path

    return Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")


@cache
def _own() -> _Font:
    return _Font(own_font(), "DejaVu Sans")


def _fonts() -> Iterator[_Font]:
    """Our own font, then those of the system: looked for only where a name needs one."""
    yield _own()
    yield from _system_fonts()


@cache
def _system_fonts() -> tuple[_Font, ...]:
    """Upright fonts of normal weight, those without serifs first.

    Last Resort, which matplotlib has, draws any letter as the name of its script.
    """
    from matplotlib.font_manager import fontManager

    plain = [
        font
        for font in fontManager.ttflist
        if font.style == "normal"
        and font.weight in (400, "normal", "regular")
        and not font.name.startswith("Last Resort")
    ]
    plain.sort(key=lambda font: ("Sans" not in font.name, font.fname))
    return tuple(_Font(Path(font.fname), font.name) for font in plain)
