"""Any object detection model of transformers: tiny random ones, from a folder, and their boxes by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    AutoImageProcessor,
    DetrConfig,
    DetrForObjectDetection,
    ResNetConfig,
    RTDetrConfig,
    RTDetrForObjectDetection,
    RTDetrResNetConfig,
    ViTImageProcessor,
    YolosConfig,
    YolosForObjectDetection,
)

from lichen.errors import InputError
from lichen.regions.detectors import DetectorConfig, load_detector
from lichen.regions.detectors.huggingface import HuggingFaceDetector

CLASSES = {0: "cat", 1: "dog", 2: "N/A"}
LABELS: dict[str, Any] = {"id2label": CLASSES, "label2id": {name: number for number, name in CLASSES.items()}}
EVERYTHING = DetectorConfig(threshold=0.0, overlap=None, most=1000)


def detr() -> Any:
    backbone = ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", out_features=["stage2"]
    )
    config = DetrConfig(
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        backbone=None,
        backbone_config=backbone,
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        num_queries=6,
        **LABELS,
    )
    return DetrForObjectDetection(config)


def yolos() -> Any:
    config = YolosConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=[64, 64],
        patch_size=16,
        num_detection_tokens=6,
        use_mid_position_embeddings=False,
        **LABELS,
    )
    return YolosForObjectDetection(config)


def rt_detr() -> Any:
    backbone = RTDetrResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 8, 16, 16],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )
    config = RTDetrConfig(
        backbone_config=backbone,
        encoder_hidden_dim=16,
        encoder_in_channels=[8, 16, 16],
        feat_strides=[8, 16, 32],
        encoder_ffn_dim=16,
        encoder_attention_heads=2,
        d_model=16,
        decoder_in_channels=[16, 16, 16],
        decoder_ffn_dim=16,
        decoder_attention_heads=2,
        decoder_layers=1,
        decoder_n_points=2,
        num_queries=6,
        num_denoising=0,
        anchor_image_size=None,
        **LABELS,
    )
    return RTDetrForObjectDetection(config)


SETTINGS = {
    "detr": {"image_processor_type": "DetrImageProcessor", "size": {"shortest_edge": 48, "longest_edge": 96}},
    "yolos": {"image_processor_type": "YolosImageProcessor", "size": {"height": 64, "width": 64}},
    "rt_detr": {"image_processor_type": "RTDetrImageProcessor", "size": {"height": 64, "width": 64}},
}
MODELS = {"detr": detr, "yolos": yolos, "rt_detr": rt_detr}


def saved(folder: Path, kind: str) -> Path:
    import json

    torch.manual_seed(3)
    MODELS[kind]().save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(SETTINGS[kind]))
    return folder


def pictures(*sizes: tuple[int, int]) -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (high, wide, 3), dtype=np.uint8)) for wide, high in sizes]


@pytest.mark.parametrize("kind", sorted(MODELS))
def test_from_a_folder(tmp_path: Path, kind: str) -> None:
    detector = load_detector(saved(tmp_path, kind), EVERYTHING)
    assert isinstance(detector, HuggingFaceDetector) and detector.names == ("cat", "dog", "N/A")
    assert not detector.model.training and not any(p.requires_grad for p in detector.model.parameters())
    regions = detector(pictures((80, 60), (50, 70), (80, 60))).validate()
    assert regions.pictures == 3 and regions.sizes.tolist() == [[80, 60], [50, 70], [80, 60]]
    assert all(0 < count <= 18 for count in regions.counts.tolist())
    assert (regions.boxes >= 0).all() and (regions.boxes[:, 2:] <= regions.extents).all()
    for part in regions.split():
        assert (part.scores.diff() <= 0).all()
    probabilities = regions.probabilities
    assert probabilities is not None and probabilities.shape == (len(regions), 3)
    # The score of a box is the probability of its class: boxes found the rows of their own queries again.
    torch.testing.assert_close(probabilities.gather(1, regions.labels[:, None])[:, 0], regions.scores)


@pytest.mark.parametrize("kind", sorted(MODELS))
def test_a_picture_is_judged_alone(tmp_path: Path, kind: str) -> None:
    config = DetectorConfig(threshold=0.0, overlap=None, most=1000, batch=2)
    detector = load_detector(saved(tmp_path, kind), config)
    batch = pictures((80, 60), (50, 70), (80, 60), (80, 60))
    together = detector(batch).split()
    for picture, found in zip(batch, together, strict=True):
        alone = detector([picture])
        torch.testing.assert_close(found.boxes, alone.boxes, rtol=0, atol=1e-3)
        torch.testing.assert_close(found.scores, alone.scores, rtol=0, atol=1e-5)
    assert len(detector([])) == 0 and detector([]).pictures == 0


def test_boxes_by_hand(tmp_path: Path) -> None:
    """A DETR whose answer is fixed: one cat in the left half, one dog below, the rest nothing."""
    detector = load_detector(saved(tmp_path, "detr"), DetectorConfig(threshold=0.5))
    assert isinstance(detector, HuggingFaceDetector)
    forward = detector.model.forward

    def fixed(**inputs: Any) -> Any:
        outputs = forward(**inputs)
        outputs.logits = torch.tensor([[[5.0, 0, 0, 0], [0, 4, 0, 0], [0, 0, 0, 9], [4, 0, 0, 0]]])
        boxes = [[0.25, 0.5, 0.5, 1.0], [0.5, 0.8, 1.0, 0.4], [0.5] * 4, [0.26, 0.5, 0.5, 1.0]]
        outputs.pred_boxes = torch.tensor([boxes])
        return outputs

    detector.model.forward = fixed
    regions = detector(pictures((200, 100)))
    torch.testing.assert_close(regions.boxes, torch.tensor([[0.0, 0, 100, 100], [0, 60, 200, 100]]))
    assert [detector.names[label] for label in regions.labels.tolist()] == ["cat", "dog"]


def test_incomplete_or_foreign_models_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = saved(tmp_path / "cut", "yolos")
    state = load_file(folder / "model.safetensors")
    state.pop("class_labels_classifier.layers.2.bias")
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"lacks 1 weights .*class_labels_classifier"):
        load_detector(folder)
    folder = saved(tmp_path / "bare", "yolos")
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(InputError, match="No usable object detector in folder"):
        load_detector(folder)
    folder = saved(tmp_path / "damaged", "yolos")
    (folder / "model.safetensors").write_bytes(b"\x00" * 40)
    with pytest.raises(InputError, match="No usable object detector"):
        load_detector(folder)
    with pytest.raises(InputError, match="does not make boxes"):
        HuggingFaceDetector(yolos(), ViTImageProcessor())


def test_processors_of_the_folder_are_used(tmp_path: Path) -> None:
    folder = saved(tmp_path, "detr")
    detector = load_detector(folder)
    assert isinstance(detector, HuggingFaceDetector)
    assert detector.processor.size == AutoImageProcessor.from_pretrained(folder, backend="pil").size
