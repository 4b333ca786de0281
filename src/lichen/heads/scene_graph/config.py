"""`SceneGraphConfig`: settings of the head, the sizes of the released model, and its quirks under one switch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from ...errors import InputError, nearest, pick

CONTEXTS = ("bgnn", "plain", "sequence", "frequency")
"""How a pair learns of the others: bgnn passes messages; plain does not; sequence reads the boxes of a picture as a
sequence, as Motifs does; frequency looks at no picture at all, only at how often classes are joined by a predicate."""
COMPAT = ("none", "pysgg")
ENTITIES = ("given", "replace", "add")

RELEASED: Mapping[str, Any] = {
    "context": "bgnn",
    "width": 512,
    "pooled": 2048,
    "graph": 512,
    "embedding": 200,
    "confidence": 512,
    "compat": "pysgg",
}
"""`SceneGraphConfig(**RELEASED)` is the head that BGNN's authors released for Visual Genome (graphs.md 1.2 to 1.5)."""


@dataclass(frozen=True, kw_only=True)
class SceneGraphConfig:
    """Settings of a scene graph head. Source: graphs.md 1.2 to 1.5.

    Raises:
        InputError: a value out of range.
    """

    context: Literal["bgnn", "plain", "sequence", "frequency"] = "bgnn"
    """How a pair learns of the others; see `CONTEXTS`."""
    gates: bool = True
    """bgnn: estimate how sure each relation is, and let messages count by it; without it all count alike."""
    stages: int = 3
    """bgnn: how often confidence is estimated; each stage begins again with the same features and weights."""
    rounds: int = 3
    """bgnn: exchanges of messages in a stage."""
    width: int = 256
    """Of the roles that a box plays as subject and as object."""
    pooled: int = 512
    """Width of the features of boxes and pairs before the context."""
    graph: int = 256
    """Width of the features in the context."""
    embedding: int = 64
    """Width of the vectors that stand for classes."""
    confidence: int = 256
    """bgnn: width inside the confidence estimation."""
    slope: float = 3.12
    """bgnn: where the learnt slope alpha of the gate starts; it is open from offset + 1 / slope on."""
    offset: float = 0.06
    """bgnn: confidence up to which the gate is closed."""
    least_score: float = 0.03
    """bgnn: predicates hear from their boxes only if both have a higher score."""
    bias: bool = True
    """Add how often two classes are joined by each predicate in training, as trainable logits."""
    entities: Literal["given", "replace", "add"] = "given"
    """Where the final classes of boxes come from: as they were given, or classified anew by the context, in place of
    the given ones or added to them."""
    compat: Literal["none", "pysgg"] = "none"
    """pysgg: follow the released code in what is an accident of it: boxes one pixel longer, batch statistics in the
    geometry, messages averaged by the number of predicates with a confidence above 1e-4, no message at all where a
    whole batch has no such predicate or no box with the least score, features not standardised."""

    def __post_init__(self) -> None:
        pick("context", self.context, CONTEXTS)
        pick("compat", self.compat, COMPAT)
        pick("setting of entities", self.entities, ENTITIES)
        for name in ("stages", "rounds", "width", "pooled", "graph", "embedding", "confidence"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"SceneGraphConfig.{name} must be a whole number of at least 1; got {value!r}.")
        if not self.slope > 0 or not 0 <= self.offset < 1 or not 0 <= self.least_score < 1:
            raise InputError(
                "SceneGraphConfig.slope must be above 0, offset and least_score in [0, 1); got "
                f"{self.slope}, {self.offset} and {self.least_score}."
            )
        if self.context == "frequency" and (not self.bias or self.entities != "given"):
            raise InputError("context='frequency' is the bias alone: it needs bias=True and entities='given'.")

        if self.context == "bgnn" and self.gates and self.rounds < 2 and self.entities == "given" and not self.released:
            raise InputError(
                "With one round nothing hears of what the gates let through to boxes, so they would never be trained. "
                "Set rounds=2 or more, or gates=False."
            )

    @property
    def released(self) -> bool:
        """Whether accidents of the released code are followed."""
        return self.compat == "pysgg"

    def to_dict(self) -> dict[str, Any]:
        """Plain values under their field names."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SceneGraphConfig:
        """The inverse of `to_dict`.

        Raises:
            InputError: an unknown setting (the nearest is named), or a value out of range.
        """
        known = {field.name for field in fields(cls)}
        for name in values:
            if name not in known:
                raise InputError(f"SceneGraphConfig has no setting {name!r}. {nearest(name, known)}")
        return cls(**values)
