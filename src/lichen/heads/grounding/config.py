"""`GroundingConfig`: sizes of the grounding network, which of its parts are there, and what the authors trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import InputError, pick

NORMS = ("row", "picture")
MATCHES = ("product", "linear")
PRIORS = ("share", "factor")
RELEASED: Mapping[str, Any] = {
    "norm": "picture",
    "match": "linear",
    "prior": "factor",
    "contrast_boxes": False,
    "stay": False,
    "compat": "reir",
}
"""What makes the network the released one."""


@dataclass(frozen=True, kw_only=True)
class GroundingConfig:
    """Settings of `GroundingNetwork`. Widths and thresholds are the authors' by default. Source: graphs.md 2.3 to 2.7.

    Raises:
        InputError: a value out of range, or a part without the part that it rests on.
    """

    width: int = 1024
    """Width of phrases and boxes."""
    joint: int = 512
    """Width in which contexts of phrases, and pictures and sentences, are compared."""
    hidden: int = 256
    """Width inside the network that moves boxes."""
    fine: bool = True
    """A second stage weighs the best boxes of the first; without it the first stage is all (the matching baseline)."""
    top: int = 5
    """Boxes of each phrase that the fine stage looks at."""
    regress: bool = True
    """Learn to move boxes, taught by the network's own best box."""
    relate: bool = True
    """Exchange context between related phrases, and learn to name relations."""
    contrast: bool = True
    """Tell the picture of a sentence from those of others, by what its phrases attend to."""
    contrast_boxes: bool = True
    """The same by how well the best box of each picture suits each phrase. It is not ReIR's, but what reaches single
    boxes most directly (InfoGround, MAF). It needs match="product"."""
    reconstruct_coarse: bool = False
    """Rebuild phrases from the first stage as well as from the second."""
    stay: bool = True
    """Whether the best box is taught to stay where it is. As released it is taught nothing, and where few boxes overlap
    so is nearly every box: the answers then wander off."""
    overlap: float = 0.6
    """IoU with the best box from which on a box is taught to move there."""
    gap: float = 0.1
    """By how much less attention it must get for that."""
    margin: float = 0.2
    """By how much a picture must suit its own sentence better than others."""
    match: str = "product"
    """How a phrase scores a box. "linear" as released, which ranks the boxes of a picture alike for all phrases, so
    that everything rests on the prior; "product" adds a product of both."""
    prior: str = "share"
    """What the prior does to a score. "factor", as released, multiplies it, so that of two boxes with scores below zero
    the less suitable gains; "share" adds its logarithm: without scores, attention is in proportion to it."""
    norm: str = "row"
    """"row" normalises every phrase and box by itself; "picture" is the released batch norm over those of a picture."""
    compat: str | None = None
    """"reir" keeps quirks of the released code: its softmax (see `Candidates.softmax`), no attention at all for phrases
    to which no box's class fits, and captions of one phrase that the batch norm wipes out in training."""
    detach_targets: bool = False
    """Whether a box that others are taught to move to stays where it is; as released it may move towards them too."""

    def __post_init__(self) -> None:
        for name in ("width", "joint", "hidden", "top"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"GroundingConfig.{name} must be a whole number of at least 1; got {value!r}.")
        for name in ("gap", "margin"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"GroundingConfig.{name} must lie in [0, 1]; got {getattr(self, name)}.")
        if not 0 < self.overlap <= 1:
            raise InputError(f"GroundingConfig.overlap must be above 0 and at most 1; got {self.overlap}.")
        pick("norm", self.norm, NORMS)
        pick("match", self.match, MATCHES)
        pick("prior", self.prior, PRIORS)
        if self.compat is not None:
            pick("compat", self.compat, ("reir",))
        if self.contrast_boxes and self.match != "product":
            raise InputError(
                "The contrast of boxes learns by products of phrases and boxes: set match='product', or "
                "contrast_boxes=False."
            )
        if not self.fine and (self.relate or self.reconstruct_coarse):
            raise InputError(
                "The first stage alone has no relations and rebuilds phrases once: with fine=False set relate and "
                "reconstruct_coarse to False too."
            )

    @property
    def released(self) -> bool:
        """Whether quirks of the released code are kept."""
        return self.compat == "reir"


VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "matching": {"fine": False, "regress": False, "relate": False},
    "two stages": {"regress": False, "relate": False},
    "regression": {"relate": False, "reconstruct_coarse": True},
    "full": {},
}
"""The published ablation, as fields of `GroundingConfig`: Baseline, Baseline_s2, Reg and RegRel of the released code.
With `RELEASED` beside them they are the released networks to the number."""
WEIGHTS: Mapping[str, float] = {
    "reconstruction": 1.0,
    "reconstruction_coarse": 1.0,
    "relations": 1.0,
    "regression_coarse": 0.1,
    "regression_fine": 0.1,
    "contrast_coarse": 1.0,
    "contrast_fine": 1.0,
    "contrast_boxes": 1.0,
}
"""What each loss counts for in the authors' training; the last is not theirs. Source: graphs.md 2.6."""
