"""`HOIConfig`: which of the two methods, what it learns from, and every choice that the papers left to the reader.

Neither paper's code was released. What a line of the specification marks as reconstructed has a switch here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...errors import InputError, pick

METHODS = ("weak", "zero-shot", "supervised")
"""weak: from the interactions of whole pictures (ICLR 2023); zero-shot: from the scores of a model of pictures and
texts alone (WACV 2024); supervised: the weak network taught by annotated pairs, as the ceiling of both."""
BAGS = ("max", "noisy-or")
TAUGHT = ("argmax", "soft", "off")
DIVERGENCES = ("bce", "kl")
CLASSIFIERS = ("trained", "frozen")
FACTORS = ("pair", "image", "related", "detector", "random")
FUSIONS = ("mixed", "product", "sum")
LEVELS = ("image", "union", "instances")
NO_INTERACTION = ("inverse", "without", "same")


@dataclass(frozen=True, kw_only=True)
class HOIConfig:
    """Settings of the head for interactions. Sources: hoi.md 1.5 to 1.8 and 2.3 to 2.5.

    Raises:
        InputError: a value out of range.
    """

    method: Literal["weak", "zero-shot", "supervised"] = "weak"
    """What it learns from; see `METHODS`."""
    width: int = 256
    """Inside the perceptrons."""
    bank: bool = True
    """Read the bank of texts for every pair (knowledge transfer)."""
    bank_temperature: float = 0.1
    """bank: of the softmax over its rows, on cosines."""
    classifier: Literal["trained", "frozen"] = "trained"
    """Whether the rows that vectors are compared with move away from the texts that they start from. New interactions
    are compared with texts either way."""
    scale: float = 10.0
    """What cosines are multiplied by at first, before the sigmoid."""
    offset: float = -4.0
    """What is added to them at first: below 0, interactions start rare."""
    bags: Literal["max", "noisy-or"] = "max"
    """What a picture's score is, out of those of its pairs."""
    self_taught: Literal["argmax", "soft", "off"] = "argmax"
    """weak: how pairs become examples of relatedness: the best of each interaction of the picture; all, as much as the
    best allows; or not at all, which leaves relatedness out of every score."""
    taught_by_related: bool = True
    """self_taught: the best pair is chosen by relatedness too."""
    taught_by_detector: bool = False
    """self_taught: the best pair is chosen by the scores of its boxes too."""
    related_bags: bool = False
    """Score a picture's pairs by relatedness too; harmful in the specification's trial, kept to show it."""
    related_weight: float = 1.0
    """Of the relatedness loss."""
    warm_up: int = 0
    """self_taught: steps before the relatedness loss sets in, so that the first choices are not random."""
    duplicates: float = 0.5
    """self_taught: pairs that lie on a chosen one with this IoU, by both boxes, are no counter-examples; 1 for none."""
    no_interaction: Literal["inverse", "without", "same"] = "inverse"
    """How relatedness counts for "no_interaction": as its opposite, not at all, or as for any other."""
    factors: tuple[str, ...] = ("pair", "image", "related", "detector")
    """weak, supervised: what is multiplied into a score; `random` in the place of `pair` is a baseline."""
    gamma: float = 2.8
    """Power of the scores of both boxes in answers; training does not read them."""
    levels: tuple[str, ...] = ("image", "union", "instances")
    """zero-shot: what is learnt and asked: the whole picture, the box around a pair, its two boxes."""
    divergence: Literal["bce", "kl"] = "bce"
    """zero-shot: how far the student is from its teacher: binary cross-entropy against scores that are divided by the
    largest of each row, or Kullback-Leibler of distributions."""
    teacher_scale: float = 50.0
    """zero-shot: what the teacher's cosines are multiplied by before their softmax; CLIP has 100."""
    union_weight: float = 1.0
    """zero-shot: of the loss of the box around a pair."""
    instance_weight: float = 1.0
    """zero-shot: of the loss of the two boxes."""
    instance_mix: float = 0.5
    """zero-shot: of the teacher's view of a pair in the loss of the two boxes, beside that of the picture."""
    fusion: Literal["mixed", "product", "sum"] = "mixed"
    """zero-shot: picture times the mean of both pair levels; the product of all; or their sum."""

    def __post_init__(self) -> None:
        pick("method", self.method, METHODS)
        pick("classifier", self.classifier, CLASSIFIERS)
        pick("rule of bags", self.bags, BAGS)
        pick("setting of self_taught", self.self_taught, TAUGHT)
        pick("setting of no_interaction", self.no_interaction, NO_INTERACTION)
        pick("divergence", self.divergence, DIVERGENCES)
        pick("fusion", self.fusion, FUSIONS)
        for name, values, known in (("factors", self.factors, FACTORS), ("levels", self.levels, LEVELS)):
            if not values or len(set(values)) < len(values):
                raise InputError(f"HOIConfig.{name} lists each of some of {', '.join(known)} once; got {values}.")
            for value in values:
                pick(f"of {name}", value, known)
        if isinstance(self.width, bool) or self.width < 1:
            raise InputError(f"HOIConfig.width must be at least 1; got {self.width}.")
        for name in ("bank_temperature", "scale", "teacher_scale"):
            if not getattr(self, name) > 0:
                raise InputError(f"HOIConfig.{name} must be above 0; got {getattr(self, name)}.")
        for name in ("related_weight", "union_weight", "instance_weight", "instance_mix", "gamma", "warm_up"):
            if not getattr(self, name) >= 0:
                raise InputError(f"HOIConfig.{name} must be 0 or more; got {getattr(self, name)}.")
        if not 0 < self.duplicates <= 1:
            raise InputError(f"HOIConfig.duplicates is an IoU, above 0 and up to 1; got {self.duplicates}.")

    @property
    def asks_related(self) -> bool:
        """Whether a score has relatedness in it: what nobody taught says nothing."""
        taught = self.method == "supervised" or self.self_taught != "off"
        return taught and "related" in self.factors
