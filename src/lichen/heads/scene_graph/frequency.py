"""How often two classes are joined by each predicate in training, as logits: a baseline of its own, and BGNN's bias.

Source: Neural Motifs, CVPR 2018, section 3.2 (the FREQ baselines); counted as graphs.md 1.5 has it.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ...errors import InputError
from ...graphs.relations import Relations
from ...regions.pairs import ordered_pairs
from ...regions.regions import Regions

_FLOOR = 1e-3


def count_triples(
    regions: Regions, relations: Relations, classes: int, predicates: int
) -> Int[Tensor, "subjects objects one_more"]:
    """How often each predicate joins each two classes, and, in column 0, how many pairs of these classes overlap.

    In a picture where no two boxes overlap all its pairs count in column 0. Batches are counted by adding their tables.

    Args:
        regions: annotated boxes with classes.
        relations: of these, as annotated, before any resampling.
        classes: how many there are.
        predicates: how many there are.

    Returns:
        A table whose rows stand for no class (0) and each class, whose columns for no relation (0) and each predicate.

    Raises:
        InputError: a class or a predicate out of range.
    """
    relations.validate(regions, predicates)
    if len(regions) and not -1 <= int(regions.labels.min()) <= int(regions.labels.max()) < classes:
        raise InputError(
            f"There are {classes} classes, numbered from 0; the boxes have {int(regions.labels.min())} to "
            f"{int(regions.labels.max())}."
        )
    pairs = ordered_pairs(regions)
    low = torch.maximum(regions.boxes[pairs[:, 0], :2], regions.boxes[pairs[:, 1], :2])
    high = torch.minimum(regions.boxes[pairs[:, 0], 2:], regions.boxes[pairs[:, 1], 2:])
    meet = (high > low).all(1)
    picture = regions.picture[pairs[:, 0]]
    some = torch.zeros(regions.pictures, dtype=torch.bool, device=picture.device)
    some[picture[meet]] = True
    counted = pairs[meet | ~some[picture]]
    rows, columns = classes + 1, predicates + 1
    joined = torch.cat([counted, relations.pairs])
    kind = torch.cat([torch.zeros_like(counted[:, 0]), relations.predicate + 1])
    label = regions.labels[joined] + 1
    cell = (label[:, 0] * rows + label[:, 1]) * columns + kind
    return torch.bincount(cell, minlength=rows * rows * columns).view(rows, rows, columns)


class FrequencyBias(nn.Module):
    """Trainable logits for every two classes.

    Args:
        table: where the logits start, (classes + 1, classes + 1, predicates + 1), no class and no relation first.

    Raises:
        InputError: a table of another shape.
    """

    def __init__(self, table: Float[Tensor, "subjects objects columns"]) -> None:
        super().__init__()
        rows, others, columns = table.shape
        if rows != others or columns < 2:
            raise InputError(f"The table is (classes + 1, classes + 1, predicates + 1); got {tuple(table.shape)}.")
        self.rows = rows
        self.table = nn.Parameter(table.reshape(rows * rows, columns).clone())

    def forward(self, labels: Int[Tensor, " boxes"], pairs: Int[Tensor, "pairs 2"]) -> Float[Tensor, "pairs columns"]:
        """Logits of no relation (0) and of each predicate.

        Args:
            labels: classes of the boxes; -1 for none.
        """
        rows = labels[pairs] + 1
        return self.table.index_select(0, rows[:, 0] * self.rows + rows[:, 1])


def log_shares(counts: Int[Tensor, "subjects objects columns"]) -> Float[Tensor, "subjects objects columns"]:
    """Where the bias starts: log(share of each predicate among the pairs of two classes + 0.001).

    One pair without a relation is added to each two classes, so that those which never met are taken to have none.

    Args:
        counts: what `count_triples` returns, summed over the training side.

    Raises:
        InputError: a number below 0.
    """
    if bool((counts < 0).any()):
        raise InputError("Counts hold a number below 0.")
    filled = counts.double()
    filled[..., 0] += 1
    return (filled / filled.sum(-1, keepdim=True) + _FLOOR).log().float()
