"""`KnowledgeBank`: the interactions as texts, which vectors of pictures and pairs are compared with and read from.

Source: hoi.md 1.3, 1.5 and 1.6. Two copies of the texts are kept: the memory, which stays as it is and is read, and the
rows of the classifier, which start there and may move.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from ...errors import InputError
from .config import HOIConfig


class KnowledgeBank(nn.Module):
    """Texts of interactions.

    Args:
        texts: a vector for each interaction.
        config: temperature, and whether the classifier moves.

    Raises:
        InputError: no text, or a vector of zeros or of what is no number.
    """

    memory: Tensor

    def __init__(self, texts: Float[Tensor, "interactions width"], config: HOIConfig) -> None:
        super().__init__()
        if not len(texts) or not bool((texts.isfinite().all(1) & texts.any(1)).all()):
            raise InputError(f"A bank needs a vector of numbers for each interaction; got {tuple(texts.shape)}.")
        self.register_buffer("memory", normalize(texts.float(), dim=1))
        self.rows = nn.Parameter(self.memory.clone(), requires_grad=config.classifier == "trained")
        self.temperature = config.bank_temperature
        self.query = nn.Linear(texts.shape[1], texts.shape[1]) if config.bank else None

    @property
    def width(self) -> int:
        """Of the vectors."""
        return self.memory.shape[1]

    def __len__(self) -> int:
        """Number of interactions, those that were added included."""
        return len(self.rows)

    def read(self, vectors: Float[Tensor, "pairs width"]) -> Float[Tensor, "pairs width"]:
        """What the texts know of pairs: their mean, weighted by how well each suits; zeros without reading."""
        if self.query is None:
            return torch.zeros_like(vectors)
        asked = normalize(self.query(vectors), dim=1)
        return (asked @ self.memory.T / self.temperature).softmax(1) @ self.memory

    def cosines(self, vectors: Float[Tensor, "rows width"]) -> Float[Tensor, "rows interactions"]:
        """Of vectors with the rows of the classifier."""
        return normalize(vectors, dim=1) @ normalize(self.rows, dim=1).T

    @torch.no_grad()
    def extend(self, texts: Float[Tensor, "added width"]) -> None:
        """Add interactions that were never learnt; what the others are compared with stays as it is.

        The memory stays as well: what is read of it would change, and with it every answer that was learnt.

        Raises:
            InputError: vectors of another width.
        """
        if texts.shape[1] != self.width:
            raise InputError(f"This bank holds vectors of width {self.width}; got {texts.shape[1]}.")
        added = normalize(texts.float().to(self.memory), dim=1)
        self.rows = nn.Parameter(torch.cat([self.rows.data, added]), requires_grad=self.rows.requires_grad)


class Judge(nn.Module):
    """From cosines to logits: a scale and an offset that are learnt (hoi.md 1.5)."""

    def __init__(self, config: HOIConfig) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(config.scale)))
        self.offset = nn.Parameter(torch.tensor(float(config.offset)))

    def forward(self, cosines: Float[Tensor, "rows interactions"]) -> Float[Tensor, "rows interactions"]:
        return cosines * self.log_scale.exp() + self.offset
