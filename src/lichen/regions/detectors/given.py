"""Boxes that someone drew, in the place of a detector: for training on annotations, and as the upper bound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from PIL import Image

from ...errors import InputError
from ...scene import Scene
from ..regions import Regions
from .detector import Detector, check_pictures, sizes_of


class GivenBoxes(Detector):
    """The boxes of the scenes' entities, all of them and in their order: row i of a picture is entity `boxed[i]`."""

    def __init__(self, names: Sequence[str]) -> None:
        """
        Args:
            names: class names that the entities' labels are among.
        """
        self.names = tuple(names)

    def __call__(self, pictures: Sequence[Image.Image], scenes: Sequence[Scene] | None = None) -> Regions:
        """The boxes of the scenes, scaled where a picture has another size than its scene says.

        Raises:
            InputError: no scenes, a label that is not among the names, or a bad box.
        """
        check_pictures(pictures, scenes)
        if scenes is None:
            raise InputError("Given boxes come from scenes: pass scenes=, one a picture, or choose another detector.")
        sized = [
            scene if scene.size is not None else replace(scene, size=picture.size)
            for scene, picture in zip(scenes, pictures, strict=True)
        ]
        return Regions.from_scenes(sized, self.names).resized(sizes_of(pictures))
