"""`GraphInputs`: all that a scene graph head is told of a batch, whoever found the boxes and made the features."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...errors import InputError
from ...graphs.relations import check_pairs
from ...regions.regions import Regions


@dataclass(frozen=True, eq=False)
class GraphInputs:
    """Boxes, their features, and the pairs that are asked about; flat over the pictures of a batch."""

    regions: Regions
    """Boxes with class numbers (-1 for none) and scores. Where there are `probabilities`, classes enter by them, and
    what a row lacks to one is the probability of "nothing"; where there are none, by their labels alone."""
    pairs: Int[Tensor, "pairs 2"]
    """Rows of the regions, subject and object; `regions.ordered_pairs` gives all."""
    features: Float[Tensor, "boxes channels"] | None = None
    """What the picture shows in each box; None for a head that does not look at pictures (context="frequency")."""
    unions: Float[Tensor, "pairs union_channels"] | None = None
    """What it shows in the box around each pair; None where that was left out."""
    labels_known: bool = False
    """Whether the labels are the annotated ones (PredCls), so that no head may change them."""

    def check(self, classes: int, channels: int | None, union_channels: int | None) -> GraphInputs:
        """Check all values, waiting for the device once.

        Args:
            classes: how many there are.
            channels: width of the features that the head reads; None where it reads none.
            union_channels: the same for the unions.

        Returns:
            The inputs themselves.

        Raises:
            InputError: features missing, of another width, for another number of boxes or pairs, or not finite; class
                numbers that are none; pairs that are none.
        """
        regions = self.regions
        for name, what, values, width, rows in (
            ("features", "boxes", self.features, channels, len(regions)),
            ("unions", "pairs", self.unions, union_channels, len(self.pairs)),
        ):
            if width is None:
                continue
            if values is None:
                raise InputError(f"This head reads {name} of {width} channels, and none were given.")
            if tuple(values.shape) != (rows, width):
                raise InputError(
                    f"The {name} must be {rows} {what} by {width} channels; got shape {tuple(values.shape)}."
                )
        shares = regions.probabilities
        if shares is not None and shares.shape[1] != classes:
            raise InputError(f"There are {classes} classes, but the regions have probabilities of {shares.shape[1]}.")
        if not bool(self._fine(classes)):
            self._complain(classes)
        return self

    def _fine(self, classes: int) -> Tensor:
        """One truth value for everything, so that the device is asked once."""
        regions, pairs = self.regions, self.pairs
        fine = (regions.labels >= -1).all() & (regions.labels < classes).all() & (pairs >= 0).all()
        if len(pairs):
            inside = pairs.clamp(0, max(len(regions) - 1, 0))
            fine = fine & (pairs < len(regions)).all() & (pairs[:, 0] != pairs[:, 1]).all()
            if len(regions):
                fine = fine & (regions.picture[inside[:, 0]] == regions.picture[inside[:, 1]]).all()
        for values in (self.features, self.unions, regions.probabilities, regions.boxes, regions.scores):
            if values is not None:
                fine = fine & values.isfinite().all()
        return fine

    def _complain(self, classes: int) -> None:
        regions = self.regions
        bad = (regions.labels < -1) | (regions.labels >= classes)
        if bool(bad.any()):
            row = int(bad.nonzero()[0, 0])
            raise InputError(f"Box {row} has class {int(regions.labels[row])}; there are {classes}, numbered from 0.")
        check_pairs(self.pairs, regions)
        for name, values in (
            ("The features of box", self.features),
            ("The union features of pair", self.unions),
            ("The probabilities of box", regions.probabilities),
            ("The coordinates of box", regions.boxes),
            ("The score of box", regions.scores[:, None]),
        ):
            if values is not None and not bool(values.isfinite().all()):
                row = int((~values.isfinite().all(1)).nonzero()[0, 0])
                raise InputError(f"{name} {row} hold a number that is not finite. Leave out what could not be read.")

    def shares(self, classes: int) -> Float[Tensor, "boxes one_more"]:
        """Probability of "nothing" (first) and of each class; one for the label where no probabilities are known."""
        regions = self.regions
        if regions.probabilities is None:
            return torch.nn.functional.one_hot(regions.labels + 1, classes + 1).to(regions.boxes.dtype)
        total = regions.probabilities.sum(1, keepdim=True)
        # Classes that are judged one by one may sum to more than one; together they still are one thing.
        return torch.cat([(1 - total).clamp(min=0), regions.probabilities / total.clamp(min=1)], 1)

    @cached_property
    def sizes(self) -> Float[Tensor, "pairs 2"]:
        """Width and height of the picture of each pair."""
        return self.regions.extents[self.pairs[:, 0]]
