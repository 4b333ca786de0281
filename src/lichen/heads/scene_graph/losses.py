"""What a scene graph head learns by: the predicates of pairs, and how sure there is any.

All are finite for any batch: without a pair that counts they are zero. Source: graphs.md 1.6.
"""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, one_hot

from .targets import IGNORED, NONE

FOCAL_SCALE, FOCAL_POWER = 0.2, 2.0
ANY_SHARE, EACH_SHARE = 0.8, 0.2
"""Of the confidence loss: that there is any relation, and which."""


def relation_loss(logits: Float[Tensor, "pairs columns"], labels: Int[Tensor, " pairs"]) -> Float[Tensor, ""]:
    """Mean cross-entropy over the pairs that are not ignored."""
    total = cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum")
    return total / (labels != IGNORED).sum().clamp(min=1)


def entity_loss(logits: Float[Tensor, "boxes columns"], labels: Int[Tensor, " boxes"]) -> Float[Tensor, ""]:
    """Mean cross-entropy over all boxes, "nothing" in column 0."""
    return cross_entropy(logits, labels + 1, reduction="sum") / max(len(labels), 1)


def focal(logits: Float[Tensor, "*n"], truths: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """0.2 · (1 - exp(-b))² · b, with b the binary cross-entropy: positives and negatives alike."""
    plain = binary_cross_entropy_with_logits(logits, truths, reduction="none")
    return FOCAL_SCALE * (1 - (-plain).exp()) ** FOCAL_POWER * plain


def confidence_loss(logits: Float[Tensor, "pairs columns"], labels: Int[Tensor, " pairs"]) -> Float[Tensor, ""]:
    """Loss of one stage of confidence estimation.

    0.8 · (sum over pairs of the focal loss of any relation) / (n + 1) + 0.2 · (mean over pairs of the sum over
    predicates of theirs) / (n + 1), n the number of pairs that have a relation.

    Args:
        logits: of each predicate and, in the last column, of any.
        labels: as in `GraphTargets`; ignored pairs do not count.
    """
    counted = labels != IGNORED
    logits, labels = logits[counted], labels[counted]
    related = labels > NONE
    scale = related.sum() + 1
    overall = focal(logits[:, -1], related.to(logits.dtype)).sum() / scale
    which = one_hot(labels, logits.shape[1])[:, 1:].to(logits.dtype)
    each = focal(logits[:, :-1], which).sum() / max(len(labels), 1) / scale
    return ANY_SHARE * overall + EACH_SHARE * each
