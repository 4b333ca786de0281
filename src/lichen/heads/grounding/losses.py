"""What a grounding network learns from, without a single box being annotated. Each loss is a mean over the captions.

The released code sums over the captions of a batch instead: multiplied by their number, the losses here are its own.

Source: graphs.md 2.6.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, smooth_l1_loss

from ...errors import InputError, nearest
from ...regions import encode_deltas, matched_iou
from .candidates import EPSILON, Candidates

HEAVIEST = 10.0
"""Weight of the rarest category of relations; the most frequent weighs 1."""


def caption_means(
    values: Float[Tensor, " rows"], weights: Float[Tensor, " rows"], caption: Int[Tensor, " rows"], captions: int
) -> Float[Tensor, ""]:
    """Mean over captions of the sum of their values by the sum of their weights; a caption without rows counts as 0."""
    total, weight = values.new_zeros(2, captions).index_add(1, caption, torch.stack([values, weights]))
    return (total / torch.where(weight > 0, weight, 1)).sum() / max(captions, 1)


def relation_weights(counts: Sequence[float | int]) -> Float[Tensor, " categories"]:
    """What each category of relations counts for: inverse square roots of how often they occur, from 1 to 10.

    Args:
        counts: how often each category occurs, at least once.

    Raises:
        InputError: a category that never occurs.
    """
    rates = torch.as_tensor(list(counts), dtype=torch.float64)
    if bool((rates <= 0).any()):
        raise InputError(
            f"Every category of relations must occur; number {int((rates <= 0).nonzero()[0, 0])} does not."
        )
    rates = rates.rsqrt()
    if not len(rates):
        return rates
    spread = rates.max() - rates.min()
    return 1 + (HEAVIEST - 1) * (rates - rates.min()) / torch.where(spread > 0, spread, 1)


def relation_loss(
    logits: Float[Tensor, "relations categories"],
    categories: Float[Tensor, "relations categories"],
    weights: Float[Tensor, " categories"],
    caption: Int[Tensor, " relations"],
    captions: int,
) -> Float[Tensor, ""]:
    """Binary cross-entropy of every category, over the relations that have one.

    Args:
        weights: of the categories, see `relation_weights`.
        caption: of each relation.
    """
    named = categories.any(1)
    losses = binary_cross_entropy_with_logits(
        logits[named], categories[named].to(logits.dtype), weights, reduction="none"
    )
    ones = torch.full_like(losses[:, 0], logits.shape[1]) if logits.shape[1] else losses.sum(1)
    return caption_means(losses.sum(1), ones, caption[named], captions)


def regression_loss(
    candidates: Candidates,
    boxes: Float[Tensor, "candidates 4"],
    deltas: Float[Tensor, "candidates 4"],
    attention: Float[Tensor, " candidates"],
    caption: Int[Tensor, " phrases"],
    captions: int,
    *,
    overlap: float = 0.6,
    gap: float = 0.1,
    stay: bool = False,
    detach: bool = False,
) -> Float[Tensor, ""]:
    """Self-taught regression: boxes near a phrase's best box are to be moved onto it.

    Those that get nearly as much attention as the best count as zeros in the mean, as released.

    Args:
        boxes: of the candidates, in pixels.
        deltas: how the network would move them.
        attention: that each gets from its phrase.
        caption: of each phrase.
        overlap: IoU with the best box from which on a box takes part; copies of the best do not.
        gap: by how much more attention the best must have.
        stay: whether the best itself takes part, and is to stay where it is.
        detach: whether the best box stays where it is; otherwise it learns to come nearer too.
    """
    best = candidates.best(attention)[candidates.phrase]
    agreed = matched_iou(boxes, boxes[best])
    itself = best == torch.arange(len(best), device=best.device)
    # A box without area has no logarithm of its sides; it overlaps nothing, and so takes no part.
    part = ((agreed >= overlap) & ((agreed < 1) | (itself & stay))).nonzero()[:, 0]
    target = boxes[best[part]]
    wanted = encode_deltas(boxes[part], target.detach() if detach else target)
    sure = (itself[part] | (attention[best[part]] - attention[part] >= gap)).to(deltas.dtype)
    losses = smooth_l1_loss(deltas[part], wanted, reduction="none").mean(1) * sure
    return caption_means(losses, torch.ones_like(losses), caption[candidates.phrase[part]], captions)


def contrast_loss(
    likeness: Float[Tensor, "n n"], group: Int[Tensor, " n"] | None = None, margin: float = 0.2
) -> Float[Tensor, ""]:
    """A picture should suit its own sentence better than any other by a margin of probability, and the other way round.

    Args:
        likeness: of pictures (rows) and sentences (columns); pairs stand on the diagonal.
        group: rows of one number are not told apart: several captions of one picture.
        margin: of probabilities.

    Returns:
        Sum over rows and columns of the largest violation.
    """
    count = len(likeness)
    if count < 2:
        return likeness.sum() * 0
    own = torch.eye(count, dtype=torch.bool, device=likeness.device)
    other = ~own if group is None else group[:, None] != group[None]
    total = likeness.new_zeros(())
    for table in (likeness, likeness.T):
        shifted = table.masked_fill(~(own | other), -math.inf)
        weights = (shifted - shifted.detach().amax(1, keepdim=True)).exp()
        chance = weights / (weights.sum(1, keepdim=True) + EPSILON)
        violation = (chance - chance.diagonal()[:, None] + margin).relu() * other
        total = total + violation.amax(1).sum()
    return total


def box_contrast_loss(
    table: Float[Tensor, "phrases boxes"],
    caption: Int[Tensor, " phrases"],
    picture: Int[Tensor, " boxes"],
    group: Int[Tensor, " captions"],
    pictures: int,
) -> Float[Tensor, ""]:
    """Cross-entropy of finding the picture of a caption among all of the batch, and the caption of a picture.

    A caption suits a picture as well as, on average over its phrases, the best of its boxes suits the phrase.

    Source: Gupta et al., Contrastive Learning for Weakly Supervised Phrase Grounding, ECCV 2020 (InfoGround), and Wang
    et al., MAF, EMNLP 2020: words and regions, with the other pictures of a batch as negatives.

    Args:
        table: how alike phrases and boxes are.
        caption: of each phrase.
        picture: of each box.
        group: picture of each caption.
        pictures: how many there are.

    Returns:
        Mean over captions that have a phrase and whose picture has a box; 0 where fewer than two pictures have.
    """
    best = table.new_full((len(table), pictures), -math.inf)
    best = best.scatter_reduce(1, picture.expand_as(table), table, "amax")
    boxed = torch.bincount(picture, minlength=pictures) > 0
    said = torch.bincount(caption, minlength=len(group))
    kept = ((said > 0) & boxed[group]).nonzero()[:, 0]
    columns = boxed.nonzero()[:, 0]
    if len(columns) < 2 or not len(kept):
        return table.sum() * 0
    total = table.new_zeros(len(group), len(columns)).index_add(0, caption, best[:, columns])
    likeness = (total / said.clamp(min=1)[:, None])[kept]
    # Columns without the pictures that have no box.
    place = (boxed.cumsum(0) - 1)[group[kept]]
    rows = torch.arange(len(kept), device=kept.device)
    found = likeness.log_softmax(1)[rows, place]
    # The other captions of a picture are no wrong answers to it.
    same = place[:, None] == place[None]
    across = likeness[:, place].masked_fill(same & (rows[:, None] != rows[None]), -math.inf)
    return -(found + across.log_softmax(0).diagonal()).mean() / 2


class Contrast(nn.Module):
    """Pictures as they were attended to, and sentences, in a joint space.

    Args:
        width: of phrases and of sentences.
        joint: of the space.
    """

    def __init__(self, width: int, joint: int) -> None:
        super().__init__()
        self.picture = nn.Linear(width, joint)
        self.sentence = nn.Linear(width, joint)

    def forward(
        self,
        visual: Float[Tensor, "phrases width"],
        sentences: Float[Tensor, "captions width"],
        caption: Int[Tensor, " phrases"],
        seen: Bool[Tensor, " phrases"],
        group: Int[Tensor, " captions"],
        margin: float = 0.2,
    ) -> Float[Tensor, ""]:
        """The loss over all captions of which a phrase was seen.

        Args:
            visual: what was seen of each phrase.
            seen: whether its picture has boxes at all.
            group: picture of each caption.
        """
        share = seen.to(visual.dtype)
        count = share.new_zeros(len(sentences)).index_add(0, caption, share)
        total = visual.new_zeros(len(sentences), visual.shape[1]).index_add(0, caption, visual * share[:, None])
        kept = (count > 0).nonzero()[:, 0]
        pictures = self.picture(total[kept] / count[kept, None])
        likeness = pictures @ self.sentence(sentences[kept]).T / math.sqrt(pictures.shape[1])
        return contrast_loss(likeness, group[kept], margin) / max(len(sentences), 1)


def weighted(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Float[Tensor, ""]:
    """The sum of losses, each by its weight; those without a weight count once.

    Raises:
        InputError: a weight for a loss that does not exist, or no losses.
    """
    if not losses:
        raise InputError("There are no losses to add up.")
    for name in weights:
        if name not in losses and name not in NAMES:
            raise InputError(f"There is no loss {name!r} to weigh. {nearest(name, NAMES)}")
    return torch.stack([weights.get(name, 1.0) * loss for name, loss in losses.items()]).sum()


NAMES = (
    "reconstruction",
    "reconstruction_coarse",
    "relations",
    "regression_coarse",
    "regression_fine",
    "contrast_coarse",
    "contrast_fine",
    "contrast_boxes",
)
"""All losses that a grounding network may have, by its config."""
