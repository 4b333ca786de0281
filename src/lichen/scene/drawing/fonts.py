"""Letters: the font that Pillow brings, and for what it lacks the first font on this machine that has it."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from PIL import ImageFont

Font = ImageFont.FreeTypeFont

_ELSEWHERE = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "NotoSansCJK-Regular.ttc", "arialuni.ttf", "Arial Unicode.ttf")
"""Looked for by name in the folders where this system keeps fonts, if a text has other letters than ASCII's."""
_NOWHERE = "\U0010fffe"
"""Not a character, so that every font draws its sign for "not here"."""


def font_for(text: str, size: int, file: str | None = None) -> Font:
    """The first font that has all letters of a text, or the one that has most of them.

    Args:
        text: what is to be written.
        size: in pixels.
        file: a TrueType or OpenType file that is asked before all others.
    """
    return _open(_best("".join(sorted(set(text))), file), size)


@lru_cache(4096)
def _best(letters: str, file: str | None) -> str | None:
    """Name of the chosen font file; None for Pillow's own."""
    names = [*([] if file is None else [file]), None, *([] if letters.isascii() else _others())]
    return min(names, key=lambda name: (_missing(name, letters), names.index(name)))


@lru_cache(256)
def _open(name: str | None, size: int) -> Font:
    # With a size, Pillow gives a FreeType font; its basic layout draws the same on every machine.
    font = ImageFont.load_default(size) if name is None else ImageFont.truetype(name, size)
    if not isinstance(font, Font):
        raise OSError("This Pillow was built without FreeType; install the one from PyPI.")
    return font


@lru_cache(1)
def _others() -> list[str]:
    """Fonts of this machine."""
    found = []
    for name in _ELSEWHERE:
        try:
            found.append(str(ImageFont.truetype(name, 12).path))
        except OSError:
            continue
    spec = find_spec("matplotlib")
    if spec is not None and spec.origin is not None:
        path = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        found += [str(path)] if path.is_file() else []
    return found


@lru_cache(4096)
def _missing(name: str | None, letters: str) -> int:
    """How many of the letters a font draws as it draws what it does not have."""
    font = _open(name, 16)
    nothing = bytes(font.getmask(_NOWHERE)), font.getlength(_NOWHERE)
    return sum(
        (bytes(font.getmask(letter)), font.getlength(letter)) == nothing
        for letter in letters
        if letter not in " \t\r\n"
    )


@lru_cache(65536)
def width_of(text: str, font: Font) -> float:
    """Length of a line of text in pixels."""
    return font.getlength(text)


def height_of(font: Font) -> int:
    """Height of a line of text in pixels, from the highest letter to the lowest."""
    ascent, descent = font.getmetrics()
    return ascent + descent
