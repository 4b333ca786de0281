"""Principal components of hidden states, fitted once on a sample of the data before anything is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import CheckpointError, InputError


@dataclass(frozen=True)
class Basis:
    """Mean and leading components of every stored state, in order."""

    means: tuple[Float[Tensor, " _"], ...]
    components: tuple[Float[Tensor, "_ _"], ...]
    """Orthonormal rows, by falling variance; at most as many as the state is wide."""

    @property
    def rank(self) -> int:
        """Number of components of the widest state."""
        return max(len(part) for part in self.components)

    def stack(self, states: slice) -> tuple[Float[Tensor, "states width"], Float[Tensor, "states rank width"]]:
        """Means and components of neighbouring states of one width."""
        return torch.stack(self.means[states]), torch.stack(self.components[states])

    def to_tensors(self) -> dict[str, Tensor]:
        """Everything by name, as a file holds it."""
        named = {f"mean.{index}": mean for index, mean in enumerate(self.means)}
        return named | {f"components.{index}": part for index, part in enumerate(self.components)}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], widths: Sequence[int]) -> Basis:
        """The inverse of `to_tensors`.

        Raises:
            CheckpointError: tensors are missing or have other shapes.
        """
        means, components = [], []
        for index, width in enumerate(widths):
            mean, part = tensors.get(f"mean.{index}"), tensors.get(f"components.{index}")
            if mean is None or part is None or mean.shape != (width,) or part.ndim != 2 or part.shape[1] != width:
                raise CheckpointError("The principal components of this store do not fit its states. Build it again.")
            means.append(mean)
            components.append(part)
        return cls(tuple(means), tuple(components))


class Moments:
    """Running sums of one state, from which its components follow. In float64, so that nothing is lost in them."""

    def __init__(self, width: int) -> None:
        self.count = 0
        self._sum = torch.zeros(width, dtype=torch.float64)
        self._products = torch.zeros(width, width, dtype=torch.float64)

    def add(self, rows: Float[Tensor, "rows width"]) -> None:
        """Take more rows into account."""
        rows = rows.double()
        self.count += len(rows)
        self._sum += rows.sum(0)
        self._products += rows.T @ rows

    def leading(self, rank: int) -> tuple[Float[Tensor, " width"], Float[Tensor, "rank width"]]:
        """Mean and the first components. Their signs are fixed, so that one sample has one basis.

        Raises:
            InputError: the rows hold NaN or infinity.
        """
        mean = self._sum / self.count
        covariance = self._products / self.count - torch.outer(mean, mean)
        if not bool(torch.isfinite(covariance).all()):
            raise InputError("A hidden state holds NaN or infinity, so it has no components. Use codec='float32'.")
        vectors = torch.linalg.eigh(covariance).eigenvectors.flip(1)[:, :rank].T
        largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
        return mean.float(), (vectors * largest.sign()).float().contiguous()


def fit_basis(batches: Iterable[Sequence[Float[Tensor, "_rows _width"]]], widths: Sequence[int], rank: int) -> Basis:
    """Principal components of every state.

    Args:
        batches: rows (tokens or map positions) of each state, batch by batch.
        widths: of every state.
        rank: components to keep; a narrower state keeps all of its own.

    Raises:
        InputError: there are no rows, or they are not finite.
    """
    moments = [Moments(width) for width in widths]
    for batch in batches:
        for own, rows in zip(moments, batch, strict=True):
            own.add(rows)
    if not moments[0].count:
        raise InputError("There is no usable sample to fit principal components on.")
    pairs = [own.leading(min(rank, width)) for own, width in zip(moments, widths, strict=True)]
    return Basis(tuple(mean for mean, _ in pairs), tuple(part for _, part in pairs))
