"""`classify`: which class a picture or a text belongs to, or which classes where several may apply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..backbones.features import Features
from ..data.config import DataConfig
from ..data.dataset import Dataset
from ..errors import InputError
from ..heads.classifier import Classifier
from ..heads.given import Given
from ..heads.summary import Summary
from ..metrics.classification import multi_label, single_label
from ..scene import Label, Scene
from .task import Examples, HeadConfig, Inputs, Preparation, Task, picture_inputs, text_inputs

PART = "input"
KINDS = ("folder", "table", "coco-labels", "npz", "digits", "datasets", "playground", "scenes")
_THRESHOLD = 0.5


class ClassifyHead(nn.Module):
    """A `Classifier` as tasks call their heads: features and targets by name."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(
        self, features: Mapping[str, Features], targets: Mapping[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """`logits` (batch, classes) and, with targets["labels"], `loss`. See `Classifier.forward`."""
        return self.classifier(features[PART], None if targets is None else targets["labels"])


@dataclass(frozen=True)
class Classify(Task):
    """Classes of whole samples."""

    name: ClassVar[str] = "classify"

    classes: tuple[str, ...]
    """Names by class number."""
    several: bool
    """Whether several classes may apply to one sample."""
    head: HeadConfig

    @property
    def headline(self) -> str:  # type: ignore[override]
        """Accuracy; mean average precision where several classes may apply."""
        return "mean_average_precision" if self.several else "accuracy"

    @staticmethod
    def parts(data: DataConfig, named: Sequence[str] = ()) -> tuple[str, ...]:
        """One: the picture or the text."""
        if data.kind not in KINDS:
            raise InputError(f"classify learns from data of the kinds {', '.join(KINDS)}; got {data.kind!r}.")
        return (PART,)

    @classmethod
    def of(cls, dataset: Dataset, data: DataConfig, head: HeadConfig, parts: Sequence[str] = ()) -> Classify:
        """The classes of a data set."""
        return cls(dataset.classes, dataset.multi_label, head)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], head: HeadConfig) -> Classify:
        """The inverse of `settings`."""
        return cls(tuple(settings["classes"]), bool(settings["several"]), head)

    def settings(self) -> dict[str, Any]:
        """Classes, and whether several may apply."""
        return {"classes": list(self.classes), "several": self.several}

    def inputs(self, dataset: Dataset, part: str, how: Preparation) -> Inputs:
        """Pictures where the data set has them, texts otherwise."""
        if dataset.has_pictures:
            return picture_inputs(dataset, how)
        return text_inputs(dataset.texts(range(len(dataset))), dataset.ids, how)

    def examples(self, dataset: Dataset, split: str) -> Examples:
        """Every sample of the split with its labels."""
        rows = dataset.rows(split)
        names = tuple(dataset.ids[row] for row in rows)
        return Examples({PART: torch.tensor(rows)}, {"labels": dataset.targets(rows)}, names)

    def make_head(self, given: Mapping[str, Given], dataset: Dataset | None = None) -> ClassifyHead:
        """A linear classifier on a summary vector."""
        weights = _balance(dataset) if self.head.balanced and dataset is not None else None
        summary = Summary(given[PART], self.head.pooling)
        dropout, smoothing = self.head.dropout, self.head.label_smoothing
        return ClassifyHead(Classifier(summary, len(self.classes), self.several, dropout, smoothing, weights))

    def measure(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, float]:
        """See `metrics.classification`."""
        logits, labels = outputs["logits"].float(), targets["labels"].cpu()
        if self.several:
            return multi_label(logits.sigmoid().numpy(), labels.bool().numpy(), _THRESHOLD, self.classes)
        return single_label(logits.argmax(-1).numpy(), labels.numpy(), len(self.classes), self.classes)

    def answer(self, outputs: Mapping[str, Tensor], scenes: Sequence[Scene]) -> list[Scene]:
        """All classes by falling score; where several may apply only those from 0.5 on, or the best one."""
        logits = outputs["logits"].float().cpu()
        scores, order = (logits.sigmoid() if self.several else logits.softmax(-1)).sort(-1, descending=True)
        answered = []
        for scene, values, classes in zip(scenes, scores.tolist(), order.tolist(), strict=True):
            labels = [Label(self.classes[number], value) for number, value in zip(classes, values, strict=True)]
            if self.several:
                labels = [label for label in labels if label.score is None or label.score >= _THRESHOLD] or labels[:1]
            answered.append(replace(scene, labels=tuple(labels)))
        return answered


def _balance(dataset: Dataset) -> list[float]:
    """Weight of each class: the mean frequency over its own in training. Several labels: negatives over positives."""
    targets = dataset.targets(dataset.rows("train"))
    if dataset.multi_label:
        positive = targets.sum(0).clamp(min=1)
        return ((len(targets) - positive) / positive).clamp(min=1).tolist()
    counts = torch.bincount(targets, minlength=len(dataset.classes)).clamp(min=1)
    return (counts.float().mean() / counts).tolist()
