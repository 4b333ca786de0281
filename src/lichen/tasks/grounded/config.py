"""`GroundConfig`: which grounding network is trained, on which phrases, with what is known of boxes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ...errors import InputError, pick
from ...heads.grounding.config import RELEASED, VARIANTS, GroundingConfig

SOURCES = ("annotations", "labels")
PARSERS = ("annotated", "rules", "scenegraphparser")


@dataclass(frozen=True)
class GroundConfig:
    """Settings of the task ground, the table [head.grounding].

    Raises:
        InputError: a value out of range.
    """

    variant: str = "full"
    """The published ablation: matching (one stage), two stages, regression, full."""
    released: bool = False
    """Follow the released network to the number; otherwise the library's own choices, see docs/grounding.md."""
    width: int = 256
    """Of phrases and boxes; 1024 in the paper."""
    joint: int = 128
    """In which contexts, and pictures and sentences, are compared; 512 in the paper."""
    hidden: int = 128
    """Inside the network that moves boxes; 256 in the paper."""
    top: int = 5
    """Boxes of a phrase that the fine stage looks at."""
    refine: int = 1
    """How often boxes are moved and looked at anew, once training has got so far."""
    refine_from: int = 0
    """Steps before any box is moved; 7500 in the paper."""
    contrast_boxes: bool = True
    """Also tell pictures of sentences apart by their best boxes. It is not ReIR's; the released network never does."""
    phrases: Literal["annotated", "rules", "scenegraphparser"] = "annotated"
    """Whose phrases are learnt from: the annotated spans (never their boxes), or what a parser finds."""
    truths: Literal["annotations", "labels"] = "annotations"
    """What is measured: annotated boxes of phrases; or, for captions without any, phrases whose noun is the class of
    some boxes, which all are right."""
    vectors: str = ""
    """Text backbone (embedded:minilm) or file of word vectors that says how well a box's class suits a phrase; empty
    uses no classes."""
    floor: float = 0.0
    """Likeness that any two words have, taken off; 0 as published."""
    least: int = 5
    """How often words of a relation must occur to be a category."""

    def __post_init__(self) -> None:
        pick("variant of grounding", self.variant, VARIANTS)
        pick("source of phrases", self.phrases, PARSERS)
        pick("source of truths", self.truths, SOURCES)
        if min(self.refine, self.refine_from) < 0 or self.least < 1:
            raise InputError("GroundConfig: refine and refine_from are at least 0, least at least 1.")
        if self.released and not self.vectors:
            raise InputError(
                "The released network ranks boxes by what their classes say alone: name word vectors in "
                'head.grounding.vectors, such as "embedded:minilm".'
            )
        self.network()

    def network(self) -> GroundingConfig:
        """Settings of the network."""
        chosen: dict[str, Any] = {**VARIANTS[self.variant], **(RELEASED if self.released else {})}
        chosen.setdefault("contrast_boxes", self.contrast_boxes)
        return GroundingConfig(width=self.width, joint=self.joint, hidden=self.hidden, top=self.top, **chosen)
