"""Pix3D: photographs of furniture with the model, its pose and the box of the object."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from ...scene import Entity, Scene
from .boxes import to_box
from .fields import rows
from .format import Format
from .json_stream import elements
from .source import Part, Source

_FLAGS = ("truncated", "occluded", "slightly_occluded")
_TEXTS = ("mask", "model", "voxel", "model_source", "img_source")
_NUMBERS = {"rot_mat": 9, "trans_mat": 3, "cam_position": 3}


def read(source: Source) -> Iterator[Scene]:
    """One scene a picture: an entity, and in `metadata` the model's files and the camera.

    Pictures of one model belong on one side of a split: `metadata["model"]` says which it is.
    """
    path = source.need("annotations")
    for fields in rows(elements(path), source.problems, path.name):
        name, label = fields.text("img"), fields.text("category")
        if name is None or label is None:
            continue
        picture = source.picture(fields, name, size=fields.listed_size("img_size"))
        box = to_box(fields.values.get("bbox"), "xyxy", picture.size, source.problems, fields)
        metadata: dict[str, Any] = {key: text for key in _TEXTS if (text := fields.text(key, needed=False)) is not None}
        metadata |= {key: fields.flag(key) for key in _FLAGS if key in fields.values}
        metadata |= {
            key: found for key, count in _NUMBERS.items() if (found := fields.numbers(key, count, needed=False))
        }
        for key in ("focal_length", "inplane_rotation"):
            number = fields.number_of(key, needed=False)
            metadata |= {} if number is None else {key: number}
        yield Scene(
            str(PurePosixPath(name).with_suffix("")) if PurePosixPath(name).name else name,
            image=picture.path,
            size=picture.size,
            entities=() if box is None else (Entity(label, box),),
            metadata=metadata,
        )


PIX3D = Format(
    "Pix3D",
    (Part("annotations", ("pix3d*.json",)),),
    "an entity; model and camera as metadata",
    read,
    ("img",),
)
