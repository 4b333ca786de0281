"""`Format`: an annotation format of the field, the files it is made of, and how they become scenes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ...scene import Scene
from .source import Part, Source


@dataclass(frozen=True)
class Format:
    """One format."""

    about: str
    """What it is, in a few words."""
    parts: tuple[Part, ...]
    """The files it is made of; the first one is what a single file of any name is taken for."""
    gives: str
    """What its scenes hold."""
    read: Callable[[Source], Iterator[Scene]]
    """The reader."""
    pictures: tuple[str, ...] = ("images",)
    """Folders below or beside the annotations where its pictures usually lie."""
