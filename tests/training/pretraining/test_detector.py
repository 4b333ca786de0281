"""`playground-detector`: targets, training, and that what is published is what was trained."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lichen.data.playground.dataset import Playground
from lichen.data.playground.world import CLASSES
from lichen.regions.detectors import DetectorConfig, load_detector
from lichen.training.pretraining.__main__ import main
from lichen.training.pretraining.detector import (
    make_detector,
    make_processor,
    measure_detector,
    targets_of,
    train_detector,
)
from lichen.training.pretraining.pictures import Drawn, drawn

from .tiny import DETECTOR

WORLD = Playground(0, "val", 6, 64, 64)


def test_targets_are_the_boxes_of_the_scenes() -> None:
    data = drawn(WORLD)
    for scene, target in zip(data.scenes, targets_of(data), strict=True):
        seen = [e for e in scene.entities if e.box and min(e.box[2] - e.box[0], e.box[3] - e.box[1]) >= 2]
        assert [CLASSES[number] for number in target["class_labels"]] == [entity.label for entity in seen]
        middle, extent = (target["boxes"] * 64).split(2, 1)
        torch.testing.assert_close(
            torch.cat([middle - extent / 2, middle + extent / 2], 1),
            torch.tensor([entity.box for entity in seen], dtype=torch.float32),
        )


def test_training_changes_every_weight_and_repeats() -> None:
    told: list[int] = []
    model, facts = train_detector(DETECTOR, watch=lambda step, loss: told.append(step))
    assert told == [1, 2, 3, 4] and facts["seconds"] > 0 and np.isfinite(facts["loss"]) and not model.training
    fresh = dict(make_detector(DETECTOR).named_parameters())
    moved = [name for name, value in model.named_parameters() if not torch.equal(value, fresh[name])]
    assert len(moved) > 0.9 * len(fresh)
    again, _ = train_detector(DETECTOR)
    for name, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    other, _ = train_detector(replace(DETECTOR, seed=1))
    assert any(not torch.equal(value, other.state_dict()[name]) for name, value in model.state_dict().items())


class Oracle:
    """Answers with the truth, as logits and boxes of eight queries."""

    def __init__(self, data: Drawn) -> None:
        self.targets = targets_of(data)

    def __call__(self, pixel_values: torch.Tensor) -> object:
        logits = torch.full((len(pixel_values), 40, len(CLASSES)), -9.0)
        boxes = torch.full((len(pixel_values), 40, 4), 0.5)
        for row, target in enumerate(self.targets):
            count = len(target["boxes"])
            logits[row, torch.arange(count), target["class_labels"]] = 9.0
            boxes[row, :count] = target["boxes"]
        return type("Outputs", (), {"logits": logits, "pred_boxes": boxes})()


def test_the_truth_has_a_precision_of_a_hundred() -> None:
    pytest.importorskip("faster_coco_eval", reason="average precision needs lichen[metrics]")
    found = measure_detector(Oracle(drawn(WORLD)), "val", 6, 64)
    assert found["ap"] == pytest.approx(100.0) and found["pictures"] == 6


def test_the_command_publishes_what_load_detector_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("faster_coco_eval", reason="average precision needs lichen[metrics]")
    changes = [f"--set={name}={json.dumps(value)}" for name, value in vars(DETECTOR).items()]
    assert main(["detector", "--out", str(tmp_path / "out"), "--tested", "4", *changes]) == 0
    assert '"weight_bytes"' in capsys.readouterr().out
    assert "# playground-detector" in (tmp_path / "out" / "README.md").read_text()
    detector = load_detector(tmp_path / "out", DetectorConfig(threshold=0.0, overlap=None))
    assert detector.names == tuple(CLASSES)
    pixels, _ = WORLD[2]
    regions = detector([Image.fromarray(pixels)])
    assert len(regions) == 8 and regions.boxes.min() >= 0 and regions.boxes.max() <= 64


def test_the_processor_gives_what_training_saw() -> None:
    data = drawn(WORLD)
    batch = data.batch(np.arange(2))
    pictures = [Image.fromarray(np.array(pixels)) for pixels in data.pixels[:2]]
    own = make_processor(64)(images=pictures, return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(own, batch, atol=1e-5, rtol=1e-5)


def test_a_wrong_setting_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detector", "--out", str(tmp_path / "out"), "--set", "step=3"]) == 2
    assert "steps" in capsys.readouterr().err
