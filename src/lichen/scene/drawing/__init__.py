"""A scene as one picture: `draw`, its settings, and every frame of a clip with its boxes."""

from __future__ import annotations

from .config import DrawConfig
from .sheet import draw
from .tracks import draw_frames

__all__ = ["DrawConfig", "draw", "draw_frames"]
