"""What arrives at each node of a graph: sums, means and maxima over its edges, for all pictures of a batch at once."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def sum_at(values: Float[Tensor, "edges ..."], node: Int[Tensor, " edges"], nodes: int) -> Float[Tensor, "nodes ..."]:
    """Sum of the values of each node's edges; zero for a node without any.

    Half precision is summed in single precision, since a node may have thousands of edges.

    Args:
        node: where each edge arrives, from 0 to nodes - 1, in any order.
        nodes: how many there are.
    """
    exact = values.to(torch.promote_types(values.dtype, torch.float32))
    return exact.new_zeros(nodes, *values.shape[1:]).index_add(0, node, exact).to(values.dtype)


def mean_at(
    values: Float[Tensor, "edges width"],
    node: Int[Tensor, " edges"],
    nodes: int,
    weights: Float[Tensor, " edges"] | None = None,
) -> Float[Tensor, "nodes width"]:
    """Mean of the values of each node's edges; zero for a node without any.

    Args:
        node: where each edge arrives.
        nodes: how many there are.
        weights: how much each edge counts, from 0 to 1; None counts all as one. The weighted sum is divided by the sum
            of weights, but never by less than one: doubtful edges alone must not speak as loudly as certain ones.
    """
    if weights is None:
        share = torch.bincount(node, minlength=nodes).clamp(min=1).to(values.dtype)
        return sum_at(values, node, nodes) / share[:, None]
    total = sum_at(weights, node, nodes).clamp(min=1)
    return sum_at(values * weights[:, None], node, nodes) / total[:, None]


def largest_at(
    values: Float[Tensor, "edges width"], node: Int[Tensor, " edges"], nodes: int, least: float
) -> Float[Tensor, "nodes width"]:
    """Largest of the values of each node's edges, by column; equal ones share the gradient.

    Args:
        node: where each edge arrives.
        nodes: how many there are.
        least: what a node without edges has, and the least that any has.
    """
    places = node[:, None].expand(-1, values.shape[1])
    return values.new_full((nodes, values.shape[1]), least).scatter_reduce(0, places, values, "amax")
