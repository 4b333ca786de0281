"""What both networks are made of: the vector of a picture, and vectors of pairs out of those of their boxes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .inputs import HOIInputs

PLACES = 36
"""Numbers that say how two boxes lie."""
_SPATIAL = (PLACES, 128, 256)
"""Widths of the perceptron that reads them, before its last layer (hoi.md 1.10)."""


class ImageVector(nn.Module):
    """A picture in the space of the texts.

    Where the backbone's vector lies in such a space already (CLIP), a perceptron that starts as nothing is added to it;
    otherwise a linear layer brings it there. In the paper the encoder itself is tuned in its place.

    Args:
        width: of what arrives.
        out: of the texts.
        hidden: inside the perceptron.
    """

    def __init__(self, width: int, out: int, hidden: int) -> None:
        super().__init__()
        self.across = nn.Identity() if width == out else nn.Linear(width, out)
        last = nn.Linear(hidden, out)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.moved = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), last)

    def forward(self, image: Float[Tensor, "pictures width"]) -> Float[Tensor, "pictures out"]:
        across: Tensor = self.across(image)
        return across + self.moved(image) * across.norm(dim=1, keepdim=True).clamp(min=1)


class PairVectors(nn.Module):
    """Vectors of pairs: a perceptron of two layers on some of person, object, union and places, side by side.

    The first layer is computed once a box and gathered, which is the same as on vectors side by side.

    Args:
        width: of what lies under a box.
        out: of the vectors.
        hidden: of the first layer.
        parts: what is read, some of "human", "object", "union", "places".
    """

    def __init__(self, width: int, out: int, hidden: int, parts: tuple[str, ...]) -> None:
        super().__init__()
        self.parts = nn.ModuleDict(
            {name: _spatial(hidden) if name == "places" else nn.Linear(width, hidden) for name in parts}
        )
        self.last = nn.Sequential(nn.ReLU(), nn.Linear(hidden, out))

    def forward(self, inputs: HOIInputs) -> Float[Tensor, "pairs out"]:
        total = None
        for name, layer in self.parts.items():
            read: Tensor = layer(_READ[name](inputs))
            if name in _COLUMN:
                read = read.index_select(0, inputs.pairs[:, _COLUMN[name]])
            total = read if total is None else total + read
        assert total is not None
        found: Tensor = self.last(total)
        return found


_COLUMN: Mapping[str, int] = {"human": 0, "object": 1}
_READ = {
    "human": lambda inputs: inputs.boxes,
    "object": lambda inputs: inputs.boxes,
    "union": lambda inputs: inputs.unions,
    # log(1e-10), the logarithm of nothing, is -23.
    "places": lambda inputs: torch.cat([inputs.places[:, : PLACES // 2], inputs.places[:, PLACES // 2 :] / 10], 1),
}


def _spatial(out: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for one, two in zip(_SPATIAL, (*_SPATIAL[1:], out), strict=True):
        layers += [nn.Linear(one, two), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def related_logits(width: int, hidden: int) -> nn.Sequential:
    """The perceptron that says whether two things interact at all."""
    return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, 1))
