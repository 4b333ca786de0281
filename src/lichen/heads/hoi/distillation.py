"""What a model of pictures and texts teaches: its cosines as targets, and how far a student is from them.

Source: hoi.md 2.2 and 2.4. That scores of pictures and of crops teach is the paper's; the divergences are the
specification's.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits


@dataclass(frozen=True, eq=False)
class TeacherScores:
    """Cosines of a batch with the texts of all interactions."""

    image: Float[Tensor, "pictures interactions"]
    """Of whole pictures."""
    union: Float[Tensor, "pairs interactions"]
    """Of the crop around each pair; what does not suit its object means nothing."""

    def to(self, device: torch.device | str) -> TeacherScores:
        """The same on another device."""
        return TeacherScores(self.image.to(device), self.union.to(device))


def distribution(
    logits: Float[Tensor, "rows interactions"], allowed: Bool[Tensor, "rows interactions"]
) -> Float[Tensor, "rows interactions"]:
    """Softmax over what is allowed; zeros in a row where nothing is."""
    lowest = torch.finfo(logits.dtype).min
    return logits.masked_fill(~allowed, lowest).softmax(1) * allowed


def present(
    compatible: Bool[Tensor, "pairs interactions"], picture: Int[Tensor, " pairs"], pictures: int
) -> Bool[Tensor, "pictures interactions"]:
    """Interactions with what was found in each picture: a teacher of whole pictures names absent things too."""
    found = torch.zeros(pictures, compatible.shape[1], dtype=torch.bool, device=compatible.device)
    return found.index_put((picture,), compatible, accumulate=True)


def divergence(
    logits: Float[Tensor, "rows interactions"],
    targets: Float[Tensor, "rows interactions"],
    allowed: Bool[Tensor, "rows interactions"],
    kind: str,
) -> Float[Tensor, ""]:
    """How far a student is from a teacher, a mean over rows in which anything is allowed; 0 where there is none.

    Args:
        logits: of the student.
        targets: distributions of the teacher.
        allowed: what is compared.
        kind: bce, with targets that are divided by the largest of their row, since many interactions share the sum of
            one; or kl, KL(teacher || softmax of the student).
    """
    rows = allowed.any(1)
    if kind == "kl":
        log = logits.masked_fill(~allowed, torch.finfo(logits.dtype).min).log_softmax(1)
        each = torch.where(targets > 0, targets * (targets.clamp(min=1e-12).log() - log), 0.0)
    else:
        soft = targets / targets.amax(1, keepdim=True).clamp(min=1e-12)
        each = binary_cross_entropy_with_logits(logits, soft, reduction="none") * allowed
    return each.sum() / rows.sum().clamp(min=1)
