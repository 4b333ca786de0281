"""`retrieve`: find the text that belongs to a picture and the picture that belongs to a text, or texts by texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from ..data.config import PAIRED, DataConfig
from ..data.dataset import Dataset
from ..errors import InputError
from ..heads.contrastive import Contrastive, PairLoss, Triplet, TwoTower
from ..heads.embedder import Embedder
from ..heads.given import Given
from ..heads.summary import Summary
from ..metrics.retrieval import retrieval
from ..scene import Label, Scene
from .task import Examples, Fetch, HeadConfig, Inputs, Preparation, Task, evaluating, picture_inputs, text_inputs

PARTS: dict[str, tuple[str, str]] = {"image": ("image", "text"), "text": ("query", "answer")}
"""The two parts by what is described: a picture, or a text."""


@dataclass(frozen=True)
class Retrieve(Task):
    """Two sets of samples in one space."""

    name: ClassVar[str] = "retrieve"
    headline_unit: ClassVar[Literal["share", "points"]] = "points"
    headline: ClassVar[str] = "rsum"  # type: ignore[misc]
    least_batch: ClassVar[int] = 2
    option: ClassVar[str] = '--query "WHAT TO FIND"'  # type: ignore[misc]

    names: tuple[str, str]
    """Of the two parts."""
    head: HeadConfig

    @staticmethod
    def parts(data: DataConfig, named: Sequence[str] = ()) -> tuple[str, ...]:
        """Two: see `PARTS`."""
        if data.paired is None:
            raise InputError(f"retrieve learns from pairs: data of the kinds {', '.join(PAIRED)}; got {data.kind!r}.")
        return PARTS[data.paired]

    @classmethod
    def of(cls, dataset: Dataset, data: DataConfig, head: HeadConfig, parts: Sequence[str] = ()) -> Retrieve:
        """Pairs of a data set."""
        first, second = Retrieve.parts(data)
        return cls((first, second), head)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], head: HeadConfig) -> Retrieve:
        """The inverse of `settings`."""
        first, second = settings["parts"]
        return cls((first, second), head)

    def settings(self) -> dict[str, Any]:
        """Names of the parts."""
        return {"parts": list(self.names)}

    def inputs(self, dataset: Dataset, part: str, how: Preparation) -> Inputs:
        """Samples for the first part; all their captions, in order, for the second."""
        if part == self.names[1]:
            texts = [caption for scene in dataset.scenes for caption in scene.captions]
            names = [f"{scene.id}#{number}" for scene in dataset.scenes for number in range(len(scene.captions))]
            return text_inputs(texts, names, how)
        if dataset.has_pictures:
            return picture_inputs(dataset, how)
        return text_inputs(dataset.texts(range(len(dataset))), dataset.ids, how)

    def examples(self, dataset: Dataset, split: str) -> Examples:
        """Every caption with its sample. Captions of one sample are a group: never each other's negatives."""
        rows, numbers = dataset.caption_pairs(split)
        counts = torch.tensor([len(scene.captions) for scene in dataset.scenes])
        first = counts.cumsum(0) - counts
        names = tuple(
            f"{dataset.ids[row]}#{number}" for row, number in zip(rows.tolist(), numbers.tolist(), strict=True)
        )
        described, describing = self.names
        return Examples({described: rows, describing: first[rows] + numbers}, {"group": rows}, names)

    def make_head(self, given: Mapping[str, Given], dataset: Dataset | None = None) -> TwoTower:
        """An embedder a part, and the loss that ties them."""
        width = self.head.width
        embedders = {name: Embedder(Summary(given[name], self.head.pooling), width) for name in self.names}
        loss: PairLoss = Contrastive(self.head.temperature)
        if self.head.loss == "triplet":
            loss = Triplet(self.head.margin, self.head.warm_up)
        return TwoTower(embedders, loss)

    def measure(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, float]:
        """See `metrics.retrieval`. A sample that stands in several pairs is searched for once."""
        groups, places = distinct(targets["group"].cpu())
        described, describing = (outputs[name].float() for name in self.names)
        return retrieval(described[places], describing, groups, targets["group"].cpu(), self.names)

    def score(self, model: nn.Module, fetch: Fetch, examples: Examples, batch: int = 64) -> dict[str, float]:
        """See `Task.score`. Each sample and each caption is embedded once."""
        found, groups = [], []
        with torch.inference_mode(), evaluating(model):
            for name in self.names:
                rows, places = distinct(examples.rows[name])
                parts = [model({name: fetch(name, some)})[name] for some in rows.split(batch)]
                found.append(torch.cat(parts).float().cpu())
                groups.append(examples.targets["group"][places])
        return retrieval(found[0], found[1], groups[0], groups[1], self.names)

    @property
    def asking(self) -> str:
        """The part that searches in `predict`: text for pictures, queries for answers."""
        return self.names[1] if self.names[0] == "image" else self.names[0]

    @property
    def searched(self) -> str:
        """The other part."""
        return next(name for name in self.names if name != self.asking)

    def answer(self, outputs: Mapping[str, Tensor], scenes: Sequence[Scene]) -> list[Scene]:
        """For each query the candidates by falling likeness, as labels with the cosine as score.

        Args:
            outputs: embeddings of the queries under the asking part's name and of the candidates under the other's.
            scenes: the queries, then the candidates.

        Returns:
            The queries.
        """
        queries, candidates = outputs[self.asking].float(), outputs[self.searched].float()
        names = [scene.text or scene.image or scene.id for scene in scenes[len(queries) :]]
        scores, order = (queries @ candidates.T).cpu().sort(dim=-1, descending=True, stable=True)
        return [
            replace(scene, labels=tuple(Label(names[k], s) for k, s in zip(places, values, strict=True)))
            for scene, places, values in zip(scenes, order.tolist(), scores.tolist(), strict=False)
        ]


def distinct(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Each number once, ascending, and a place where it stands."""
    values, inverse = rows.unique(return_inverse=True)
    places = torch.empty_like(values).scatter_(0, inverse, torch.arange(len(rows)))
    return values, places
