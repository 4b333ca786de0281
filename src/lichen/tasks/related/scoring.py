"""How predicted graphs are measured: recall with its variants, or the measures of Open Images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from ...graphs.found import FoundGraph, TrueGraph
from ...metrics.open_images import OpenImagesProtocol, OpenImagesRelations
from ...metrics.scene_graph import RecallProtocol, SceneGraphRecall, all_kinds, long_tail_groups

HEADLINES = {"open-images": "score_wtd"}
"""The metric that counts by protocol; of the others it is mR@50."""
_RECALL = {"plain": RecallProtocol(), "pysgg": RecallProtocol.pysgg(), "sgbench": RecallProtocol.sgbench()}


@dataclass(frozen=True)
class Tail:
    """What the training side showed, as far as metrics ask for it."""

    counts: tuple[int, ...]
    """Relations of each predicate."""
    seen: tuple[tuple[int, int, int], ...]
    """Triplets (class of the subject, class of the object, predicate), each once, in order."""

    @classmethod
    def of(cls, graphs: Sequence[TrueGraph], predicates: int) -> Tail:
        """Count the training side."""
        kinds = all_kinds(graphs)
        counts = torch.bincount(kinds[:, 2], minlength=predicates)
        return cls(tuple(counts.tolist()), tuple(map(tuple, torch.unique(kinds, dim=0).tolist())))

    @property
    def groups(self) -> Mapping[str, tuple[int, ...]]:
        """Head, body and tail; none for fewer than three predicates."""
        return long_tail_groups(np.array(self.counts)) if len(self.counts) >= 3 else {}

    def unseen(self, truths: Sequence[TrueGraph]) -> Int[Tensor, "triplets 3"]:
        """Triplets that are asked for and were never shown."""
        new = sorted({tuple(each) for each in all_kinds(truths).tolist()} - set(self.seen))
        return torch.tensor(new, dtype=torch.long).reshape(-1, 3)


def scores_of(
    found: Sequence[FoundGraph], truths: Sequence[TrueGraph], predicates: Sequence[str], protocol: str, tail: Tail
) -> dict[str, float]:
    """All measures of a protocol.

    Raises:
        InputError: no picture has an annotated relation.
    """
    meter: Any
    if protocol == "open-images":
        meter = OpenImagesRelations(predicates, OpenImagesProtocol())
    else:
        meter = SceneGraphRecall(predicates, _RECALL[protocol], tail.unseen(truths), tail.groups)
    for each in zip(found, truths, strict=True):
        meter.add(*each)
    return meter.compute()
