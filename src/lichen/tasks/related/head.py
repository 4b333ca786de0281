"""`RelateHead`: the scene graph head as tasks call it: which boxes, which pairs, what a step leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ...backbones.features import Features
from ...errors import InputError
from ...graphs.found import FoundGraph
from ...heads.given import Given
from ...heads.scene_graph.answers import found_graphs
from ...heads.scene_graph.modes import as_mode
from ...heads.scene_graph.pairing import PairSampling, sample_annotated, sample_detected
from ...heads.scene_graph.targets import IGNORED, GraphTargets
from ...heads.scene_graph.visual import VisualSceneGraphHead
from ...regions import Regions, ordered_pairs
from .config import RelateConfig
from .graphs import Told

_EVERY = PairSampling(most=1_000_000_000, foreground=1.0)


class RelateHead(nn.Module):
    """A scene graph head beside one backbone.

    Args:
        given: what reaches it.
        classes: how many there are of boxes.
        predicates: how many there are.
        config: settings.
        counts: how often two classes are joined by each predicate in training; None where weights will be loaded.

    Raises:
        InputError: features in which nothing lies anywhere.
    """

    steps: Tensor

    def __init__(
        self,
        given: Given,
        classes: int,
        predicates: int,
        config: RelateConfig,
        counts: Int[Tensor, "subjects objects columns"] | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.visual = VisualSceneGraphHead(given, classes, predicates, config.head, config.pooling(), counts)
        # In the weights, so that a training which goes on knows where it was.
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    @property
    def pretraining(self) -> bool:
        """Whether messages are still to be left out."""
        return int(self.steps) < self.config.pretraining

    def forward(self, features: Mapping[str, Features], targets: Mapping[str, Any] | None = None) -> dict[str, Tensor]:
        """The loss of a batch of pictures.

        Args:
            features: of the pictures.
            targets: `graphs`, a `Told`.

        Returns:
            `loss` and its parts; in eval mode also `picture_loss` (pictures,), the mean over a picture's pairs of the
            cross-entropy of their predicates. Nothing without targets: see `graphs`.
        """
        if targets is None:
            return {}
        told: Told = targets["graphs"]
        regions, pairs, teaches = self._pairs(told)
        given = _checked(features)
        found = self.visual(
            given,
            regions,
            pairs,
            teaches,
            labels_known=self.config.mode == "predcls",
            pretraining=self.training and self.pretraining,
        )
        if self.training:
            self.steps += 1
            return {name: value for name, value in found.items() if name.startswith("loss")}
        return {"loss": found["loss"], "picture_loss": _by_picture(found["logits"], teaches, regions, pairs)}

    def _pairs(self, told: Told) -> tuple[Regions, Int[Tensor, "pairs 2"], GraphTargets]:
        """Boxes, and the pairs that are learnt from: some in training, all when it is measured."""
        dropped = torch.rand_like(told.dropping) < told.dropping if self.training else None
        sampling = self.config.sampling() if self.training else _EVERY
        regions = self.regions(told.truths, told.found)
        if told.found is not None:
            pairs, teaches = sample_detected(told.found, told.truths, told.relations, sampling, dropped=dropped)
        else:
            pairs, teaches = sample_annotated(told.truths, told.relations, sampling, dropped=dropped)
        return regions, pairs, teaches

    def regions(self, truths: Regions | None, found: Regions | None = None) -> Regions:
        """The boxes that the head is told of, as the mode asks for them."""
        unclassified = self.config.mode == "sgcls"
        return as_mode(self.config.mode, truths=truths, found=found, unclassified=unclassified)

    def graphs(self, features: Mapping[str, Features], regions: Regions) -> tuple[FoundGraph, ...]:
        """The predicted graph of each picture, over all its pairs.

        Args:
            features: of the pictures.
            regions: see `regions`.
        """
        given = _checked(features)
        inputs = self.visual.inputs(given, regions, ordered_pairs(regions), labels_known=self.config.mode == "predcls")
        return found_graphs(self.visual.head(inputs), inputs)


def _checked(features: Mapping[str, Features]) -> Features:
    """The features of the one part."""
    (given,) = features.values()
    finite = given.final.isfinite().flatten(1).all(1)
    if not bool(finite.all()):
        raise InputError(
            f"The features of picture {int((~finite).nonzero()[0, 0])} of a batch hold NaN or infinity. Look at what "
            "the backbone is given, or compute in float32."
        )
    return given


def _by_picture(logits: Tensor, teaches: GraphTargets, regions: Regions, pairs: Tensor) -> Tensor:
    each = cross_entropy(logits, teaches.labels, ignore_index=IGNORED, reduction="none")
    picture = regions.picture[pairs[:, 0]]
    counts = torch.bincount(picture, minlength=regions.pictures).clamp(min=1)
    return each.new_zeros(regions.pictures).index_add(0, picture, each) / counts
