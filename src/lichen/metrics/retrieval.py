"""How far up the right answer stands when each of two sets is searched by the other.

A query's rank is 1 plus the number of wrong answers at least as alike as its best right answer. Ties thus count against
the method: a model that gives every sample one and the same embedding ranks last, not first.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..errors import InputError

CUTS = (1, 5, 10)
"""Ranks down to which a right answer counts as found."""
CELLS = 2**24
"""Dot products computed at a time: 64 MB in float32."""
TIE = 1e-6
"""Dot products closer than this, times the longest two embeddings, are equal: they differ by rounding alone."""


def retrieval(
    first: Float[Tensor, "n width"],
    second: Float[Tensor, "m width"],
    first_group: Int[Tensor, " n"],
    second_group: Int[Tensor, " m"],
    names: tuple[str, str] = ("image", "text"),
) -> dict[str, float]:
    """Search both ways; an answer is right when it has the query's group.

    With several captions a picture, give the captions the number of their picture: a picture finds any of them, each
    of them finds its picture.

    Args:
        first: embeddings, compared by dot product.
        second: embeddings of the other part.
        first_group: for every row of `first` the number of what it belongs to.
        second_group: the same for `second`.
        names: of the two parts, for the keys.

    Returns:
        Under "<first>_to_<second>/" and "<second>_to_<first>/":
        `r1`, `r5`, `r10`: share of queries whose best right answer is among the first 1, 5 or 10 (0 to 1);
        `median_rank`, `mean_rank`: of the best right answer, the best possible is 1;
        `left_out`: queries without any right answer, which count in none of these.
        `rsum`: sum of the six recalls in percent, as the field reports it (0 to 600).

    Raises:
        InputError: an empty set, embeddings that are not finite or do not fit together, or no pair at all.
    """
    _check(first, second)
    there, back = names
    found = _summary(ranks(first, second, first_group, second_group), f"{there}_to_{back}")
    found |= _summary(ranks(second, first, second_group, first_group), f"{back}_to_{there}")
    rsum = 100 * sum(value for key, value in found.items() if key.rpartition("/")[2] in _RECALLS)
    return {**found, "rsum": rsum}


_RECALLS = tuple(f"r{cut}" for cut in CUTS)


@torch.no_grad()
def ranks(
    queries: Float[Tensor, "queries width"],
    answers: Float[Tensor, "answers width"],
    query_group: Int[Tensor, " queries"],
    answer_group: Int[Tensor, " answers"],
    cells: int = CELLS,
) -> Int[Tensor, " queries"]:
    """Rank of each query's best right answer, from 1; 0 for a query without one.

    Args:
        queries: embeddings.
        answers: embeddings of what is searched.
        query_group: for every query the number of what it belongs to.
        answer_group: the same for the answers; equal numbers are right answers.
        cells: how many dot products to hold at a time.
    """
    dtype = torch.promote_types(queries.dtype, torch.float32)
    queries, answers = queries.to(dtype), answers.to(dtype)
    tie = TIE * float(queries.norm(dim=1).max() * answers.norm(dim=1).max())
    rows = max(1, cells // len(answers))
    found = [
        _block(part, answers, group, answer_group, tie)
        for part, group in zip(queries.split(rows), query_group.split(rows), strict=True)
    ]
    return torch.cat(found)


def _block(queries: Tensor, answers: Tensor, query_group: Tensor, answer_group: Tensor, tie: float) -> Tensor:
    likeness = queries @ answers.T
    right = query_group[:, None] == answer_group[None, :]
    best = likeness.masked_fill(~right, -torch.inf).amax(1, keepdim=True)
    # Nothing but wrong answers may stand before the best right one: the others of its group do not count.
    better = (likeness.masked_fill_(right, -torch.inf) >= best - tie).sum(1)
    return torch.where(right.any(1), better + 1, 0)


def _check(first: Tensor, second: Tensor) -> None:
    if not len(first) or not len(second) or first.shape[1] != second.shape[1]:
        raise InputError(
            f"Two sets of embeddings of one width are expected; got {list(first.shape)} and {list(second.shape)}."
        )
    if not (first.isfinite().all() and second.isfinite().all()):
        raise InputError("Some embeddings are not finite: they cannot be ranked.")


def _summary(found: Int[Tensor, " queries"], way: str) -> dict[str, float]:
    valid = found[found > 0].double()
    if not len(valid):
        raise InputError(f"No query of {way.replace('_', ' ')} has a right answer: their groups never meet.")
    recalls = {f"{way}/r{cut}": float((valid <= cut).double().mean()) for cut in CUTS}
    return {
        **recalls,
        f"{way}/median_rank": float(valid.quantile(0.5)),
        f"{way}/mean_rank": float(valid.mean()),
        f"{way}/left_out": float((found == 0).sum()),
    }
