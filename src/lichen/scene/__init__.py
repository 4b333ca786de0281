"""The record of all that is known of an image, a clip, a text or an object: dataclasses and numpy, no torch.

`Scene` and its parts are here. Files and other formats each have a module: `jsonl`, `parquet`, `coco`, `detections`,
`meshes`, `clips`; `drawing` makes a picture of a scene.
"""

from __future__ import annotations

from .check import Box
from .records import Entity, Expression, Label, Phrase, Question, Relation, Solid, TextLine, Track
from .scene import Scene

__all__ = [
    "Box",
    "Entity",
    "Expression",
    "Label",
    "Phrase",
    "Question",
    "Relation",
    "Scene",
    "Solid",
    "TextLine",
    "Track",
]
