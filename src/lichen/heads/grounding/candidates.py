"""`Candidates`: which boxes each phrase may mean, as one flat list, and what is asked of such a list.

Pictures have different numbers of boxes and captions different numbers of phrases. Nothing is padded: phrase 0 with
its 12 boxes is 12 entries, the next phrase follows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ...regions import Regions, rank_within
from ...regions.groups import first_of_runs, group_order, segment_rows

EPSILON = 1e-6
"""Added to the sum of a softmax in the released code."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """Pairs of a phrase and a box. Entries of a phrase lie together, in the order of the phrases."""

    phrase: Int[Tensor, " candidates"]
    """Number of the phrase; never decreasing."""
    region: Int[Tensor, " candidates"]
    """Row of the box in the regions of the batch."""
    phrases: int
    """Number of phrases, those without a box included."""

    @classmethod
    def every(cls, picture: Int[Tensor, " phrases"], regions: Regions) -> Candidates:
        """All boxes of each phrase's picture, in their order.

        Args:
            picture: of each phrase.
            regions: boxes of the pictures.
        """
        counts = regions.counts[picture]
        phrase = torch.arange(len(picture), device=picture.device).repeat_interleave(counts)
        return cls(phrase, segment_rows(regions.starts[picture], counts), len(picture))

    def __len__(self) -> int:
        return len(self.phrase)

    def select(self, places: Int[Tensor, " kept"]) -> Candidates:
        """Some of the entries; those of a phrase must still lie together."""
        return Candidates(self.phrase[places], self.region[places], self.phrases)

    def sum(self, values: Float[Tensor, "candidates ..."]) -> Float[Tensor, "phrases ..."]:
        """Sum over the entries of each phrase; zero for a phrase that has none."""
        return values.new_zeros(self.phrases, *values.shape[1:]).index_add(0, self.phrase, values)

    def any(self, values: Bool[Tensor, " candidates"]) -> Bool[Tensor, " phrases"]:
        """Whether some entry of each phrase is true."""
        return torch.bincount(self.phrase[values], minlength=self.phrases) > 0

    def softmax(
        self,
        scores: Float[Tensor, " candidates"],
        mask: Bool[Tensor, " candidates"] | None = None,
        released: bool = False,
    ) -> Float[Tensor, " candidates"]:
        """Softmax over the entries of each phrase that the mask lets through; zero elsewhere.

        Args:
            mask: None lets all through.
            released: as the authors' code has it: the largest of scores * mask is subtracted, which is zero where all
                scores are below it and something is masked, and 1e-6 is added to the sum. Very low scores then vanish.

        Source: graphs.md 2.3.
        """
        mask = torch.ones_like(scores, dtype=torch.bool) if mask is None else mask
        compared = (scores * mask if released else scores.masked_fill(~mask, -math.inf)).detach()
        largest = compared.new_full((self.phrases,), -math.inf)
        largest = largest.scatter_reduce(0, self.phrase, compared, "amax")
        largest = largest.masked_fill(largest.isneginf(), 0)
        # Masked scores could overflow before the mask is applied, and 0 * inf is NaN.
        weights = (scores - largest[self.phrase]).masked_fill(~mask, -math.inf).exp()
        total = self.sum(weights)
        total = total + EPSILON if released else torch.where(total > 0, total, 1)
        return weights / total[self.phrase]

    def best(self, scores: Float[Tensor, " candidates"]) -> Int[Tensor, " phrases"]:
        """Place in this list of each phrase's highest score, of equals the first; -1 for a phrase without entries."""
        order = group_order(scores.detach(), self.phrase)
        owner = self.phrase[order]
        first = first_of_runs(owner)
        result = torch.full((self.phrases,), -1, device=order.device)
        result[owner[first]] = order[first]
        return result

    def top(self, scores: Float[Tensor, " candidates"], most: int) -> Int[Tensor, " kept"]:
        """Places of the `most` highest scores of each phrase, or of all that it has, highest first."""
        scores = scores.detach()
        order = group_order(scores, self.phrase)
        return order[rank_within(scores, self.phrase)[order] < most]
