"""`playground-detector`: a small RT-DETR that learns from the playground's boxes, and its average precision.

It is trained in two halves: first its maps alone (`dense.py`), then all of it with RT-DETR's own losses.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import (
    RTDetrConfig,
    RTDetrForObjectDetection,
    RTDetrImageProcessorPil,
    RTDetrResNetConfig,
    get_cosine_schedule_with_warmup,
)

from ...data.playground.dataset import Playground
from ...data.playground.world import CLASSES
from ...metrics.detection import average_precision
from ...regions.boxes import cxcywh_to_xyxy, xyxy_to_cxcywh
from ...regions.regions import Regions
from .dense import Places, dense_loss
from .pictures import MEAN, STD, Drawn, Progress, drawn, shuffled

_LEAST = 2.0
"""Boxes with a shorter edge than this, in pixels, are not learnt from: nobody could see them."""


@dataclass(frozen=True)
class DetectorSettings:
    """How the model is built and trained."""

    seed: int = 0
    """Of weights and order. The playground's own seed is always 0."""
    pictures: int = 40_000
    """Of the playground's train split."""
    dense_steps: int = 3_000
    """Updates of the maps alone."""
    steps: int = 1_200
    """Updates of all after them."""
    batch: int = 16
    """Pictures in one update."""
    lr: float = 1e-3
    """Peak learning rate of AdamW in the first half, cosine after 5 % warm-up; in the second it is half of that."""
    weight_decay: float = 1e-4
    size: int = 96
    """Edge of the pictures in pixels."""
    channels: tuple[int, ...] = (32, 64, 128, 192)
    """Of the four stages of the convolutional network; the last three are read, at strides 8, 16 and 32."""
    width: int = 96
    """Of encoder and decoder."""
    heads: int = 6
    """Of attention."""
    decoder_layers: int = 2
    queries: int = 30
    """Boxes that the decoder gives; the most that a picture can show."""
    denoising: int = 20
    """Noisy copies of true boxes that help it learn (Zhao et al. 2024, RT-DETR; as DN-DETR)."""


def make_detector(settings: DetectorSettings) -> RTDetrForObjectDetection:
    """The model with fresh weights."""
    first, *read = settings.channels
    network = RTDetrResNetConfig(
        embedding_size=first,
        hidden_sizes=list(settings.channels),
        depths=[1] * len(settings.channels),
        layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],  # type: ignore[call-arg]
    )
    config = RTDetrConfig(
        backbone_config=network,
        freeze_backbone_batch_norms=False,
        encoder_hidden_dim=settings.width,
        encoder_in_channels=read,
        encoder_ffn_dim=2 * settings.width,
        encoder_attention_heads=settings.heads,
        hidden_expansion=0.5,
        d_model=settings.width,
        decoder_in_channels=[settings.width] * len(read),
        decoder_ffn_dim=2 * settings.width,
        decoder_layers=settings.decoder_layers,
        decoder_attention_heads=settings.heads,
        num_queries=settings.queries,
        num_denoising=settings.denoising,
        id2label=dict(enumerate(CLASSES)),
        label2id={name: number for number, name in enumerate(CLASSES)},
    )
    torch.manual_seed(settings.seed)
    return RTDetrForObjectDetection(config)


def make_processor(size: int) -> RTDetrImageProcessorPil:
    """What prepares a user's picture for the model."""
    return RTDetrImageProcessorPil(
        size={"height": size, "width": size}, do_normalize=True, image_mean=[MEAN] * 3, image_std=[STD] * 3
    )


def targets_of(data: Drawn) -> list[dict[str, Tensor]]:
    """Class numbers and boxes (centre, size; as shares of the picture) of every picture, as the loss reads them."""
    numbers = {name: number for number, name in enumerate(CLASSES)}
    height, width = data.pixels.shape[1:3]
    found = []
    for scene in data.scenes:
        seen = [entity for entity in scene.entities if entity.box is not None and _visible(entity.box)]
        boxes = torch.tensor([entity.box for entity in seen], dtype=torch.float32).reshape(-1, 4)
        shares = xyxy_to_cxcywh(boxes) / torch.tensor([width, height, width, height])
        labels = torch.tensor([numbers[str(entity.label)] for entity in seen], dtype=torch.int64)
        found.append({"class_labels": labels, "boxes": shares})
    return found


def _visible(box: tuple[float, float, float, float]) -> bool:
    return min(box[2] - box[0], box[3] - box[1]) >= _LEAST


def train_detector(
    settings: DetectorSettings, drawing: Progress | None = None, watch: Callable[[int, float], Any] | None = None
) -> tuple[RTDetrForObjectDetection, dict[str, float]]:
    """Train the model; half of the pictures are seen mirrored.

    Args:
        settings: of model and training.
        drawing: told how many pictures are drawn.
        watch: told the step and the mean loss of late.

    Returns:
        The model in eval mode, and facts: seconds of training and the last loss.
    """
    data = drawn(Playground(0, "train", settings.pictures, settings.size, settings.size), drawing)
    targets = targets_of(data)
    model = make_detector(settings).train()
    places = Places.of([settings.size // stride for stride in model.config.feat_strides])

    def maps_alone(pixels: Tensor, labels: list[dict[str, Tensor]]) -> Tensor:
        found = model.model(pixel_values=pixels)
        return dense_loss(found.enc_outputs_class, found.enc_outputs_coord_logits.sigmoid(), labels, places)

    def everything(pixels: Tensor, labels: list[dict[str, Tensor]]) -> Tensor:
        loss: Tensor = model(pixel_values=pixels, labels=labels).loss
        return loss

    chance = np.random.default_rng(settings.seed)
    started, done = time.perf_counter(), 0
    recent: list[float] = []
    halves = (maps_alone, settings.dense_steps, settings.lr), (everything, settings.steps, settings.lr / 2)
    for loss_of, steps, lr in halves:
        optimiser = torch.optim.AdamW(model.parameters(), lr, weight_decay=settings.weight_decay, fused=True)
        schedule = get_cosine_schedule_with_warmup(optimiser, steps // 20, steps)
        recent = []
        for pixels, labels in _batches(data, targets, settings.batch, steps, chance):
            loss = loss_of(pixels, labels)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            optimiser.zero_grad()
            recent = [*recent[-49:], float(loss.detach())]
            done += 1
            if watch is not None:
                watch(done, sum(recent) / len(recent))
    facts = {"seconds": time.perf_counter() - started, "loss": sum(recent) / max(len(recent), 1)}
    return model.eval(), facts


def _batches(
    data: Drawn, targets: list[dict[str, Tensor]], size: int, count: int, chance: np.random.Generator
) -> Iterator[tuple[Tensor, list[dict[str, Tensor]]]]:
    """Pictures with their targets, in ever new orders; every second batch or so is mirrored."""
    for rows in shuffled(len(data), size, count, chance):
        pixels, labels = data.batch(rows), [targets[row] for row in rows]
        if chance.random() < 0.5:
            pixels, labels = pixels.flip(-1), [_mirrored(each) for each in labels]
        yield pixels, labels


def _mirrored(target: dict[str, Tensor]) -> dict[str, Tensor]:
    x, rest = target["boxes"][:, :1], target["boxes"][:, 1:]
    return {**target, "boxes": torch.cat([1 - x, rest], 1)}


@torch.inference_mode()
def measure_detector(
    model: Callable[..., Any], split: str, pictures: int, size: int = DetectorSettings.size
) -> dict[str, float]:
    """COCO's average precision on pictures that the model has not seen, in per cent.

    Args:
        model: trained; gives `logits` and `pred_boxes` of `pixel_values`.
        split: of the playground.
        pictures: how many.
        size: of the pictures, their edge in pixels.
    """
    data = drawn(Playground(0, split, pictures, size, size))
    truths = [_regions(target, size) for target in targets_of(data)]
    found = []
    for rows in np.array_split(np.arange(len(data)), -(-len(data) // 64)):
        outputs = model(pixel_values=data.batch(rows))
        scores, labels = outputs.logits.sigmoid().flatten(1).topk(100)
        boxes = outputs.pred_boxes.gather(1, (labels // len(CLASSES)).unsqueeze(-1).expand(-1, -1, 4))
        for kept, numbers, places in zip(scores, labels % len(CLASSES), boxes, strict=True):
            found.append(_regions({"class_labels": numbers, "boxes": places}, size, kept))
    return {"pictures": float(len(data)), **average_precision(Regions.cat(found), Regions.cat(truths))}


def _regions(target: dict[str, Tensor], size: int, scores: Tensor | None = None) -> Regions:
    """Boxes of one picture, in pixels."""
    boxes = cxcywh_to_xyxy(target["boxes"] * size)
    count = len(boxes)
    return Regions(
        boxes,
        torch.zeros(count, dtype=torch.int64),
        torch.tensor([[float(size)] * 2]),
        target["class_labels"],
        torch.ones(count) if scores is None else scores,
    )
