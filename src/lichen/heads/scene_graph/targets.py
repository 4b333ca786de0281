"""`GraphTargets`: what a batch teaches, pair by pair."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Int
from torch import Tensor

from ...errors import InputError

IGNORED, NONE = -1, 0
"""Labels of a pair that teaches nothing, and of one without relation; predicate p is label p + 1."""


@dataclass(frozen=True, eq=False)
class GraphTargets:
    """What a batch teaches; see `pairing` for how it is made of annotations."""

    labels: Int[Tensor, " pairs"]
    """Of each pair of the inputs: -1 ignored, 0 no relation, p + 1 predicate p."""
    confidence: Int[Tensor, " pairs"] | None = None
    """The same for the confidence estimation, which also learns from relations that resampling left out; None for the
    same labels."""
    entities: Int[Tensor, " boxes"] | None = None
    """Class of each box; -1 for nothing. Only read by heads that classify boxes anew."""

    def check(self, boxes: int, pairs: int, classes: int, predicates: int) -> GraphTargets:
        """Check shapes and ranges, waiting for the device.

        Raises:
            InputError: another number of boxes or pairs than the inputs have, or a number out of range.
        """
        for name, values, rows, low, high in (
            ("labels", self.labels, pairs, IGNORED, predicates),
            ("confidence", self.confidence, pairs, IGNORED, predicates),
            ("entities", self.entities, boxes, -1, classes - 1),
        ):
            if values is None:
                continue
            if len(values) != rows:
                raise InputError(f"The targets' {name} must be {rows} numbers; got {len(values)}.")
            bad = (values < low) | (values > high)
            if bool(bad.any()):
                row = int(bad.nonzero()[0, 0])
                raise InputError(f"The targets' {name} lie in {low} to {high}; row {row} is {int(values[row])}.")
        return self
