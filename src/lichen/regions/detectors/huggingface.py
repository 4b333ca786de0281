"""Any object detection model of transformers, with its own image processor."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors import SafetensorError
from torch import Tensor

from ...errors import InputError
from ...scene import Scene
from ..boxes import cxcywh_to_xyxy, scale
from ..regions import Regions
from .detector import Detector, DetectorConfig, check_pictures, finish, sizes_of


class HuggingFaceDetector(Detector):
    """DETR and its relatives, YOLOS, RT-DETR: what `AutoModelForObjectDetection` loads."""

    def __init__(self, model: Any, processor: Any, config: DetectorConfig | None = None) -> None:
        """
        Args:
            model: a transformers model for object detection; it is frozen in place. It runs where it is.
            processor: its image processor, which also turns outputs into boxes.
            config: which boxes are kept.

        Raises:
            InputError: the processor cannot turn outputs into boxes, so this is no detector of things.
        """
        if not hasattr(processor, "post_process_object_detection"):
            raise InputError(
                f"A {type(processor).__name__} does not make boxes of a {type(model).__name__}'s outputs. Choose a "
                "model for object detection such as DETR, YOLOS or RT-DETR."
            )
        self.model: Any = model.eval().requires_grad_(False)
        self.processor = processor
        self.config = DetectorConfig() if config is None else config
        labels = model.config.id2label
        self.names = tuple(str(labels.get(number, number)) for number in range(max(labels, default=-1) + 1))

    @classmethod
    def from_pretrained(
        cls,
        name: str | os.PathLike[str],
        config: DetectorConfig | None = None,
        *,
        device: torch.device | str = "cpu",
        revision: str | None = None,
    ) -> HuggingFaceDetector:
        """Load a detector by local folder or hub id.

        Raises:
            InputError: there is none under this name, it is incomplete, or it comes without an image processor.
        """
        from transformers import AutoImageProcessor, AutoModelForObjectDetection

        name = os.fspath(name)
        try:
            # Pickled weights are refused whatever the hub offers: only safetensors are read.
            model, report = AutoModelForObjectDetection.from_pretrained(
                name, revision=revision, use_safetensors=True, dtype=torch.float32, output_loading_info=True
            )
            # On Pillow, so that the same picture gives the same pixels whether torchvision is installed or not.
            processor = AutoImageProcessor.from_pretrained(name, revision=revision, backend="pil")
        except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
            where = "folder" if Path(name).exists() else "hub id or folder"
            raise InputError(
                f"No usable object detector in {where} {name!r}: {str(error).splitlines()[0]} Give a hub id, or a "
                "folder with config.json, model.safetensors and preprocessor_config.json."
            ) from error
        if missing := sorted(report["missing_keys"]):
            raise InputError(
                f"{name!r} lacks {len(missing)} weights of a {type(model).__name__}, such as {missing[0]!r}; they "
                "would be random. Give a complete model of this architecture."
            )
        return cls(model.to(device), processor, config)

    @torch.no_grad()
    def __call__(self, pictures: Sequence[Image.Image], scenes: Sequence[Scene] | None = None) -> Regions:
        """Find the boxes of a batch; with the probabilities of all classes where the model tells them."""
        check_pictures(pictures, scenes)
        if not pictures:
            return finish(Regions.make([], torch.zeros(0, 2), picture=[]), self.config)
        inputs = [self._prepare(picture) for picture in pictures]
        found: dict[int, Regions] = {}
        # Pictures of another shape would have to be padded, and some models answer differently with padding.
        shapes = [tuple(values["pixel_values"].shape) for values in inputs]
        for shape in dict.fromkeys(shapes):
            alike = [number for number, own in enumerate(shapes) if own == shape]
            for start in range(0, len(alike), self.config.batch):
                batch = alike[start : start + self.config.batch]
                joined = {key: torch.cat([inputs[number][key] for number in batch]) for key in inputs[batch[0]]}
                parts = self._run(joined, sizes_of([pictures[number] for number in batch]))
                found.update(zip(batch, parts, strict=True))
        return finish(Regions.cat([found[number] for number in range(len(pictures))]), self.config)

    def _prepare(self, picture: Image.Image) -> dict[str, Tensor]:
        values = self.processor(images=picture.convert("RGB"), return_tensors="pt")
        return {key: value.to(self.model.device) for key, value in values.items() if isinstance(value, Tensor)}

    def _run(self, inputs: dict[str, Tensor], sizes: Tensor) -> list[Regions]:
        """Raw regions of each picture of a batch."""
        outputs = self.model(**inputs)
        results = self.processor.post_process_object_detection(
            outputs, threshold=0.0, target_sizes=sizes.flip(1).to(self.model.device)
        )
        sizes = sizes.to(self.model.device)
        parts = []
        for number, result in enumerate(results):
            boxes = result["boxes"].float()
            parts.append(
                Regions(
                    boxes=boxes,
                    picture=torch.zeros(len(boxes), dtype=torch.long, device=boxes.device),
                    sizes=sizes[number : number + 1],
                    labels=result["labels"].long(),
                    scores=result["scores"].float(),
                    probabilities=self._probabilities(outputs, number, boxes, sizes[number]),
                )
            )
        return parts

    def _probabilities(self, outputs: Any, number: int, boxes: Tensor, size: Tensor) -> Tensor | None:
        """Probability of every class for each box; None where the model has no queries with logits and boxes.

        Processors return boxes without the numbers of their queries, so the query is found again by its box.
        """
        if not hasattr(outputs, "pred_boxes") or not hasattr(outputs, "logits"):
            return None
        logits = outputs.logits[number].float()
        if logits.shape[-1] == len(self.names) + 1:
            # One more column than classes: the last is "nothing", and classes compete.
            probabilities = logits.softmax(-1)[:, :-1]
        elif logits.shape[-1] == len(self.names):
            probabilities = logits.sigmoid()
        else:
            return None
        queries = scale(cxcywh_to_xyxy(outputs.pred_boxes[number].float()), size)
        return probabilities[torch.cdist(boxes, queries, p=1).argmin(1)]
