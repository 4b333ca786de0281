"""Small layers that the networks share: perceptrons, one a class, and the published recurrent cells."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


def perceptron(*widths: int) -> nn.Sequential:
    """Linear layers with ReLUs between them."""
    layers: list[nn.Module] = []
    for first, second in pairwise(widths):
        layers += [nn.ReLU(), nn.Linear(first, second)] if layers else [nn.Linear(first, second)]
    return nn.Sequential(*layers)


class ClassPerceptrons(nn.Module):
    """A perceptron a class, with equal widths; all are computed together and one is chosen.

    Args:
        classes: how many.
        widths: from the input to the output.
    """

    def __init__(self, classes: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for first, second in pairwise(widths):
            bound = first**-0.5
            self.weights.append(nn.Parameter(torch.empty(classes, second, first).uniform_(-bound, bound)))
            self.biases.append(nn.Parameter(torch.empty(classes, second).uniform_(-bound, bound)))

    def forward(
        self, values: Float[Tensor, "*batch inputs"], classes: Int[Tensor, "*batch"]
    ) -> Float[Tensor, "*batch outputs"]:
        """Outputs of the perceptron of each row's class."""
        found = values[..., None, :]
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if number:
                found = found.relu()
            found = torch.einsum("...ci,coi->...co", found.expand(*found.shape[:-2], len(bias), -1), weight) + bias
        chosen = classes[..., None, None].expand(*classes.shape, 1, found.shape[-1])
        return found.gather(-2, chosen).squeeze(-2)


class ContextCells(nn.Module):
    """Two recurrent layers; each gate sees the input, a context, its own past and, in the second, the layer below.

    Source: cells of arXiv 2109.04153 and 3D-PRNN (A4). The sum of their linear maps is one map here.

    Args:
        inputs: width of a step's input.
        context: width of what both layers are told in every step.
        hidden: width of each layer.
    """

    def __init__(self, inputs: int, context: int, hidden: int) -> None:
        super().__init__()
        self.first = nn.Linear(inputs + context + hidden, 4 * hidden)
        self.second = nn.Linear(inputs + context + 2 * hidden, 4 * hidden)

    def forward(
        self,
        given: Float[Tensor, "batch inputs"],
        context: Float[Tensor, "batch context"],
        state: tuple[Tensor, Tensor],
    ) -> tuple[Tensor, Tensor]:
        """Hidden and cell states, (batch, 2, hidden) each, after a step."""
        hidden, cell = state
        told = torch.cat([given, context], 1)
        low, low_cell = _gated(self.first(torch.cat([told, hidden[:, 0]], 1)), cell[:, 0])
        high, high_cell = _gated(self.second(torch.cat([told, hidden[:, 1], low], 1)), cell[:, 1])
        return torch.stack([low, high], 1), torch.stack([low_cell, high_cell], 1)


def _gated(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Input, forget and output gate, then the candidate."""
    take, keep, show, new = gates.chunk(4, -1)
    cell = keep.sigmoid() * cell + take.sigmoid() * new.tanh()
    return show.sigmoid() * cell.tanh(), cell
