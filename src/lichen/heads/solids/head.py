"""`SolidsHead`: features of a picture in, the cuboids of half an object out.

Read `forward`, which is the order of the paper: counts, proposals from both ends, the graph over their union, merging.
Source: arXiv 2109.04153 (solids_and_video.md A0, A6).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn.functional import mse_loss, one_hot

from ...backbones.features import Features
from ..given import Given
from .config import SolidsConfig
from .counts import CountRegressor, rounded
from .encoder import PictureCode, Seen
from .graph import PrimitiveGraph, Refined
from .losses import assigned_classes, graph_losses, proposal_losses, weighted
from .matching import assign, drop_near, merge_pairs
from .proposals import Parts, ProposalNetwork, Proposals

FOLDS = 2


@dataclass(frozen=True, eq=False)
class Told:
    """What a head learns from."""

    parts: Parts
    fold: Int64[Tensor, " batch"]
    """Half of the training objects that each sample is of, 0 or 1."""

    def to(self, device: torch.device | str) -> Told:
        """The same on another device."""
        names = ("lengths", "turns", "classes", "boxes", "count")
        moved = [getattr(self.parts, name).to(device) for name in names]
        return Told(Parts(*moved), self.fold.to(device))


@dataclass(frozen=True, eq=False)
class Union:
    """Proposals of all directions side by side, padded."""

    lengths: Float[Tensor, "batch nodes 6"]
    turns: Float[Tensor, "batch nodes 3"]
    logits: Float[Tensor, "batch nodes classes"]
    hidden: Float[Tensor, "batch nodes states"]
    boxes: Float[Tensor, "batch nodes 4"]
    there: Bool[Tensor, "batch nodes"]


class SolidsHead(nn.Module):
    """Cuboids of half a model from one picture.

    Args:
        given: what reaches the head.
        classes: of parts.
        config: sizes, and what is left out.
        mean_count: of parts in training, where the count begins.
    """

    steps: Tensor

    def __init__(
        self, given: Given, classes: int, config: SolidsConfig = SolidsConfig(), mean_count: float = 0.0
    ) -> None:
        super().__init__()
        self.config, self.classes = config, classes
        self.encoder = PictureCode(given, config)
        vector = self.encoder.width
        self.count = CountRegressor(vector, mean_count)
        folds = FOLDS if config.folds and config.graph else 0
        self.fold_counts = nn.ModuleList(CountRegressor(vector, mean_count) for _ in range(folds))
        self.proposals = nn.ModuleList(ProposalNetwork(classes, vector, config.channels, config) for _ in config.ways)
        """One a direction, in the order of `config.ways`."""
        self.graph = PrimitiveGraph(classes, 2 * config.hidden, config) if config.graph else None
        # In the weights, so that a training which goes on knows where it was.
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    @property
    def stage(self) -> str:
        """What is being learnt: proposals (with counts), graph, or both."""
        if self.graph is None:
            return "proposals"
        if not self.config.graph_from:
            return "both"
        return "graph" if int(self.steps) >= self.config.graph_from else "proposals"

    def forward(self, features: Features, told: Told | None = None) -> dict[str, Tensor]:
        """Cuboids of a batch of pictures.

        Args:
            features: of the pictures.
            told: true parts, for a loss.

        Returns:
            Without `told`, and in eval mode: of each proposal, padded to `most` in each direction,
            `lengths` (batch, nodes, 6) and `turns` (batch, nodes, 3), normalised; `probabilities` (batch, nodes,
            classes + 1), the last for "none"; `boxes` (batch, nodes, 4), 2D boxes in shares of the picture; `kept`
            (batch, nodes), 1.0 for what is answered; `counts` (batch,), not rounded. With `told`: `loss` and its parts.
        """
        if told is None:
            return self.answer(self.encoder(features))
        stage = self.stage if self.training else "both"
        losses: dict[str, Tensor] = {}
        seen = self.encoder(features)
        if stage != "graph":
            losses |= self._counting(seen, told) | self._proposing(seen, told.parts)
        if stage != "proposals" and self.graph is not None:
            losses |= self._reasoning(seen, told)
        if self.training:
            self.steps += 1
            return {"loss": torch.stack(list(losses.values())).sum(), **losses}
        return {"loss": torch.stack(list(losses.values())).sum(), **self.answer(seen)}

    def _counting(self, seen: Seen, told: Told) -> dict[str, Tensor]:
        """Counts of all; and of each half, learnt on that half alone."""
        truth = told.parts.count.to(seen.vector)
        vector = seen.vector.detach()
        losses = {"loss_count": mse_loss(self.count(vector), truth)}
        for number, regressor in enumerate(self.fold_counts):
            own = (told.fold == number).to(truth)
            gap = (regressor(vector) - truth).square() * own
            losses[f"loss_count_{number}"] = gap.sum() / own.sum().clamp(min=1)
        return losses

    def _proposing(self, seen: Seen, parts: Parts) -> dict[str, Tensor]:
        steps = min(int(parts.count.max()), self.config.most)
        losses = {}
        for way, network in zip(self.config.ways, self.proposals, strict=True):
            truth = parts.turned_round() if way == "backward" else parts
            found = network(seen.maps, seen.code, seen.vector, steps, truth)
            losses[f"loss_{way}"] = weighted(proposal_losses(found, truth))
        return losses

    def _reasoning(self, seen: Seen, told: Told) -> dict[str, Tensor]:
        """The graph on free proposals, as many as the other half's regressor counts; no gradient goes through them."""
        with torch.no_grad():
            counts = self.count(seen.vector)
            if self.fold_counts:
                others = torch.stack([regressor(seen.vector) for regressor in self.fold_counts])
                counts = others.gather(0, (1 - told.fold)[None])[0]
            union = self._union(seen, rounded(counts, self.config.most))
            assigned = assign(
                union.lengths,
                union.there,
                told.parts.lengths,
                told.parts.there,
                min(self.config.copies, len(self.config.ways)),
                self.config.matching,
            )
            classes = assigned_classes(told.parts, assigned, self.classes)
        found = self._refined(union, classes)
        return {"loss_graph": weighted(graph_losses(found, told.parts, assigned, union.there))}

    def _union(self, seen: Seen, count: Int64[Tensor, " batch"]) -> Union:
        """Free proposals of all directions, `most` steps each, of which the first `count` are there."""
        each = [network(seen.maps, seen.code, seen.vector, self.config.most) for network in self.proposals]
        place = torch.arange(self.config.most, device=count.device)
        there = (place < count[:, None]).repeat(1, len(each))
        whole = Proposals.joined(each)
        return Union(whole.lengths, whole.turns, whole.logits, whole.hidden, whole.boxes, there)

    def _refined(self, union: Union, classes: Tensor | None = None) -> Refined:
        assert self.graph is not None
        start = (union.lengths, union.turns)
        return self.graph(union.hidden, union.logits, union.there, start, classes)

    def answer(self, seen: Seen) -> dict[str, Tensor]:
        """What `forward` returns without true parts."""
        counts = self.count(seen.vector)
        whole = rounded(counts, self.config.most)
        union = self._union(seen, whole)
        lengths, turns = union.lengths, union.turns
        none = union.logits.new_zeros(*union.logits.shape[:2], 1)
        probabilities = torch.cat([union.logits.softmax(-1), none], -1)
        if self.graph is not None:
            found = self._refined(union)
            lengths, turns, probabilities = found.lengths, found.turns, found.logits.softmax(-1)
        kept = self._kept(lengths, probabilities, union.there, whole)
        return {
            "lengths": lengths,
            "turns": turns,
            "probabilities": probabilities,
            "boxes": union.boxes,
            "kept": kept.to(lengths),
            "counts": counts,
        }

    def _kept(self, lengths: Tensor, probabilities: Tensor, there: Tensor, count: Tensor) -> Tensor:
        """Proposals that are answered: merged, then those that are something; the surest one where none is."""
        sure = probabilities.max(-1).values
        kept = there
        if self.config.merge == "near":
            kept = drop_near(lengths, sure, there, self.config.near)
        elif len(self.config.ways) > 1:
            ways = torch.arange(len(self.config.ways), device=there.device).repeat_interleave(self.config.most)
            kept = merge_pairs(lengths, sure, there, count, ways if self.config.merge == "across" else None)
        something = kept & (probabilities.argmax(-1) != self.classes)
        best = probabilities[..., : self.classes].max(-1).values.masked_fill(~kept, -1.0).argmax(-1)
        alone = one_hot(best, lengths.shape[1]).bool()
        return torch.where(something.any(1, keepdim=True), something, alone)


def part_of(features: Mapping[str, Features]) -> Features:
    """The features of the one part of a task."""
    (given,) = features.values()
    return given
