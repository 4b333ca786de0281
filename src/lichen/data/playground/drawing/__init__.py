"""Figures and things as flat, outlined shapes: `draw_entity` draws any class at any place and scale."""

from __future__ import annotations

from .canvas import Canvas, Pen
from .entity import draw_entity

__all__ = ["Canvas", "Pen", "draw_entity"]
