"""How scenes are drawn."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DrawConfig:
    """Sizes and limits of a drawing."""

    scale: int | None = None
    """Whole number of times that the picture is enlarged; None chooses it so that labels can be read."""
    longest: int = 1000
    """Pixels of the picture's longer side above which it is made smaller."""
    font_size: int = 15
    """Height of letters in pixels; labels in crowded pictures go down to two thirds of it."""
    font: str | None = None
    """A TrueType file for letters that the built-in font lacks; other fonts of the machine are tried without it."""
    scores: bool = True
    """Whether labels carry their scores."""
    entities: int = 80
    """Most boxes drawn: those with the highest scores, then the first ones."""
    relations: int = 24
    """Most relations drawn, likewise."""
