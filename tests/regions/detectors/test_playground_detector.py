"""`embedded:playground-detector`: it lies in the package and finds what its world shows."""

from __future__ import annotations

import torch
from PIL import Image

from lichen.data.playground.dataset import Playground
from lichen.data.playground.world import CLASSES
from lichen.files import verify_folder
from lichen.regions.detectors import DetectorConfig, load_detector
from lichen.regions.detectors.loading import PLAYGROUND
from lichen.regions.overlap import iou


def test_it_is_small_whole_and_has_a_card() -> None:
    folder = PLAYGROUND.verified().parent
    assert "model.safetensors" in verify_folder(folder)["sha256"]
    assert (folder / "model.safetensors").stat().st_size <= 12_000_000
    assert "# playground-detector" in (folder / "README.md").read_text("utf-8")


def test_it_finds_what_stands_in_unseen_pictures() -> None:
    detector = load_detector("embedded:playground-detector", DetectorConfig(threshold=0.05, most=30))
    assert detector.names == tuple(CLASSES)
    pictures, scenes = zip(*Playground(0, "test", 20), strict=True)
    regions = detector([Image.fromarray(pixels) for pixels in pictures])
    hits = total = 0
    for number, scene in enumerate(scenes):
        true = torch.tensor(scene.boxes, dtype=torch.float32)
        large = (true[:, 2:] - true[:, :2]).amin(1) >= 20
        total += int(large.sum())
        if large.any() and (found := regions.boxes[regions.picture == number]).numel():
            hits += int((iou(true[large], found).amax(1) >= 0.5).sum())
    assert total >= 20 and hits / total > 0.5
